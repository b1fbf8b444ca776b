import "./style.css";
import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Route, Router, Switch } from "wouter";
import { mount } from "./base/address.js";
import { RequestFailed } from "./base/api.js";
import { enterByAddress } from "./base/enter.js";
import { listenToKeys } from "./base/keys.js";
import { follow } from "./base/live.js";
import { Executions } from "./pages/executions.js";
import { Overview } from "./pages/overview.js";
import { Loading, Notice } from "./parts/states.js";
import { Shell } from "./parts/shell.js";

const Execution = lazy(async () => ({ default: (await import("./pages/execution.js")).ExecutionPage }));
const Workflows = lazy(async () => ({ default: (await import("./pages/workflows.js")).Workflows }));
const Recalls = lazy(async () => ({ default: (await import("./pages/recalls.js")).Recalls }));
const Certificate = lazy(async () => ({ default: (await import("./pages/certificate.js")).CertificatePage }));
const Children = lazy(async () => ({ default: (await import("./pages/children.js")).Children }));
const Schedules = lazy(async () => ({ default: (await import("./pages/schedules.js")).Schedules }));
const DeadLetters = lazy(async () => ({ default: (await import("./pages/dead-letters.js")).DeadLetters }));
const Limits = lazy(async () => ({ default: (await import("./pages/limits.js")).Limits }));
const Launchers = lazy(async () => ({ default: (await import("./pages/launchers.js")).Launchers }));

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the switch says is asked again; nothing else is.
      staleTime: 1000,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      networkMode: "always",
      retry: (times, error) => times < 2 && !(error instanceof RequestFailed && error.status < 500),
    },
    mutations: { networkMode: "always", retry: false },
  },
});

function Desk() {
  return (
    <Router base={mount}>
      <Shell>
        <Suspense fallback={<Loading />}>
          <Switch>
            <Route path="/" component={Overview} />
            <Route path="/executions" component={Executions} />
            <Route path="/execution" component={Execution} />
            <Route path="/children" component={Children} />
            <Route path="/certificate" component={Certificate} />
            <Route path="/workflows" component={Workflows} />
            <Route path="/recalls" component={Recalls} />
            <Route path="/schedules" component={Schedules} />
            <Route path="/dead-letters" component={DeadLetters} />
            <Route path="/limits" component={Limits} />
            <Route path="/launchers" component={Launchers} />
            <Route>
              <Notice icon="search" title="No such page">
                The address leads nowhere in the desk.
              </Notice>
            </Route>
          </Switch>
        </Suspense>
      </Shell>
    </Router>
  );
}

await enterByAddress();
follow(queries);
listenToKeys();
createRoot(document.getElementById("desk")!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Desk />
    </QueryClientProvider>
  </StrictMode>,
);

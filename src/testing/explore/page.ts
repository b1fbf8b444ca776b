/** A counterexample as a page of its own: what happened as a table, and the lanes after each commit, with a slider. */
import type { LogRow } from "./log.js";

export interface Paged {
  readonly workflow: string;
  readonly problems: readonly string[];
  readonly sentence: string;
  readonly history: readonly string[];
  readonly rows: readonly LogRow[];
  /** The lanes as text after so many commits, from 0. */
  readonly frames: readonly string[];
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => escapes[character]!);
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } pre, code { font: 0.9rem/1.45 ui-monospace, monospace; }
pre { padding: 1rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 6px; overflow-x: auto; }
#lanes { min-height: 8rem; }
.wrong { border-left: 4px solid #c62828; padding-left: 0.75rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 0.2rem 0.75rem 0.2rem 0; vertical-align: top; }
tr.later { opacity: 0.45; } tr.fault td { font-weight: 600; }
input[type=range] { width: 100%; }`;

/** Runs in the browser: which rows have happened, and how the lanes stood. */
const script = `
const slider = document.getElementById("at");
const frames = JSON.parse(document.getElementById("frames").textContent);
const show = () => {
  const at = Number(slider.value);
  document.getElementById("lanes").textContent = frames[at];
  document.getElementById("commits").textContent = at + " of " + (frames.length - 1);
  for (const row of document.querySelectorAll("tr[data-after]"))
    row.classList.toggle("later", at < frames.length - 1 && Number(row.dataset.after) > at);
};
slider.addEventListener("input", show);
show();`;

export function pageOf({ workflow, problems, sentence, history, rows, frames }: Paged): string {
  const last = frames.length - 1;
  const body = rows.map(
    ({ process, what, outcome, isFault, revision }) =>
      `<tr data-after="${revision}"${isFault ? ' class="fault"' : ""}><td>${isFault ? "!" : ""}</td>` +
      `<td>${process === 0 ? "outside" : `process ${process}`}</td><td>${escaped(what)}</td><td>${escaped(outcome)}</td></tr>`,
  );
  // "<" could end the element.
  const data = JSON.stringify(frames).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(workflow)}: a counterexample</title>
<style>${style}</style>
<h1>${escaped(workflow)}</h1>
<div class="wrong">${problems.map((problem) => `<p>${escaped(problem)}</p>`).join("")}</div>
<p>${escaped(sentence)}</p>
<h2>Its steps</h2>
<label>After <output id="commits">${last} of ${last}</output> commits
<input id="at" type="range" min="0" max="${last}" value="${last}"></label>
<pre id="lanes" tabindex="0">${escaped(frames[last] ?? "")}</pre>
<h2>What happened</h2>
<table><thead><tr><th></th><th>where</th><th>what</th><th>how it went</th></tr></thead><tbody>
${body.join("\n")}
</tbody></table>
<h2>Play it again</h2>
<pre>explore(…, { …, history: ${escaped(JSON.stringify(history))} })</pre>
<script type="application/json" id="frames">${data}</script>
<script>${script}</script>
</html>
`;
}

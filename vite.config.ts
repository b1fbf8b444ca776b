/** Builds the desk's web page into the package. What it is built of is bundled: who installs the package installs none of it. */
import { fileURLToPath } from "node:url";
import tailwind from "@tailwindcss/vite";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Where `light-dark()` and `color-mix()` are known. */
const browsers = ["chrome123", "firefox128", "safari17.5"];

export default defineConfig({
  root: at("src/desk/page"),
  // The handler writes where the page is mounted into `<base href>`: every address in here is relative to it.
  base: "./",
  plugins: [tailwind()],
  resolve: {
    // Written to React's interface. Without these lines it is React that ships.
    alias: [
      { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
      { find: /^react-dom$/, replacement: "preact/compat" },
      { find: /^react\/jsx-(dev-)?runtime$/, replacement: "preact/jsx-runtime" },
      { find: /^react$/, replacement: "preact/compat" },
    ],
  },
  build: {
    outDir: at("dist/desk/page"),
    emptyOutDir: true,
    target: browsers,
    cssTarget: browsers,
    // A picture in the style sheet would be refused by the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      onLog(level, log, handle) {
        // "use client" means nothing where all of it is the client's.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
    },
  },
});

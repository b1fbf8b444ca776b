/** Whether the store does what every store must do. What it does not have is skipped by name. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { storeContract } from "stepwell/store";
import { jsonStore } from "./json-store.js";

const folder = mkdtempSync(join(tmpdir(), "json-store-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
const declared = jsonStore(join(folder, "never-opened.json"), { now: () => 0 } as never);

for (const { name, run, skip } of storeContract) {
  void test(name, { skip: skip(declared) }, () => run((clock) => jsonStore(join(folder, `${++files}.json`), clock)));
}

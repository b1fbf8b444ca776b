/** `npm run verify`: the model with three launchers, or as many as are asked for; prints how many states each scene has. */
import { parseArgs } from "node:util";
import { check, missing } from "./spin.js";
import { scenes } from "./scenes.js";

const { values } = parseArgs({ options: { launchers: { type: "string", default: "3" }, scene: { type: "string" } } });
const lacking = missing();
if (lacking !== undefined) throw new Error(lacking);

for (const [name, macros] of Object.entries(scenes)) {
  if (values.scene !== undefined && !name.includes(values.scene)) continue;
  const { violation, states, seconds, trail } = await check({ ...macros, LAUNCHERS: Number(values.launchers) });
  console.log(`${violation ?? "holds"}: ${name}; ${states.toLocaleString("en")} states, ${seconds.toFixed(1)} s`);
  if (violation === null) continue;
  console.log(trail);
  process.exitCode = 1;
}

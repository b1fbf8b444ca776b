/**
 * Plays seeds, the same each time, until one violates something: with a mistake planted in src/. Exits with 1 where one did. Says a dot
 * for each history, so that who waits for it knows that it goes on.
 */
import { playSeed, type StoreName } from "./history.js";

const most = Number(process.argv[2]);
const store = process.argv[3] as StoreName;

for (let seed = 1; seed <= most; seed++) {
  const { violations } = await playSeed(seed, store);
  process.stdout.write(".");
  if (violations.length === 0) continue;
  console.log(`\nseed ${seed}: ${violations[0]}`);
  process.exit(1);
}
console.log(`\nnothing in ${most} seeds`);

/** Plays seeds, the same each time, until one violates something: with a mistake planted in src/. Exits with 1 where one did. */
import { playSeed } from "./history.js";

const most = Number(process.argv[2]);

for (let seed = 1; seed <= most; seed++) {
  const { violations } = await playSeed(seed, "memory");
  if (violations.length === 0) continue;
  console.log(`seed ${seed}: ${violations[0]}`);
  process.exit(1);
}
console.log(`nothing in ${most} seeds`);

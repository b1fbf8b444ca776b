/** A process that plays: shares come to it, one after the other, and what it has seen and found of each goes back. */
import { playShare, type Share } from "./share.js";

// The keyboard's signal reaches all processes: what is being played is played to its end.
process.on("SIGINT", () => undefined);
process.on("message", (share) => void playShare(share as Share).then((report) => process.send!(report)));

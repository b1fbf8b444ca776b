/**
 * Which process a launcher is, so that others on the same machine can tell whether it is gone. A host name and a number
 * are not enough: containers may share the name and not the numbers, and numbers are given out again.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { newId } from "../ids.js";
import { separator } from "../session/launcher-place.js";
import type { LauncherRecord } from "../stores/records.js";

export type ProcessIdentity = Pick<LauncherRecord, "host" | "pid">;

/** States of a process that has ended and that its parent has not waited for yet. */
const ended = new Set(["Z", "X"]);

let own: ProcessIdentity | undefined;

export function ownIdentity(): ProcessIdentity {
  own ??= {
    host: [ownPlace(), statusOf(process.pid)?.began ?? "", hostname()].join(separator),
    pid: process.pid,
  };
  return own;
}

/** Whether the process has ended. False also where that can't be seen from here. */
export function isGone({ host, pid }: ProcessIdentity): boolean {
  const [place, began = ""] = host.split(separator);
  const [here, ownBegan = ""] = ownIdentity().host.split(separator);
  if (place !== here || pid <= 0) return false;
  // This very process, or one that had its number before.
  if (pid === process.pid) return began !== "" && ownBegan !== "" && began !== ownBegan;
  if (!exists(pid)) return true;
  const status = began === "" ? undefined : statusOf(pid);
  return status !== undefined && (ended.has(status.state) || status.began !== began);
}

/** This boot of this machine, and the space in which its processes have their numbers. */
function ownPlace(): string {
  try {
    // Where /proc was mounted for another space of process numbers, it shows the processes of that space.
    if (readlinkSync("/proc/self") === String(process.pid)) {
      const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
      return `${boot}/${readlinkSync("/proc/self/ns/pid")}`;
    }
  } catch {
    // Not Linux, or /proc can't be read.
  }
  // Other systems have one space of process numbers. On Linux the place is unique here, so nobody concludes anything from it.
  return process.platform === "linux" ? `unknown/${newId()}` : `${process.platform}/${hostname()}`;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

/** See proc(5). The name of the program may hold anything, so what follows its last bracket is read. */
function statusOf(pid: number): { readonly state: string; readonly began: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0]!, began: fields[19]! };
  } catch {
    return undefined;
  }
}

/** What a launcher says of where it runs: its place, the time when its process began, and the name of its machine. */

/** Separates the parts of `host`. */
export const separator = "@";

export interface LauncherPlace {
  /** The same for all processes of one boot of a machine, or of one container. */
  readonly place: string;
  /** The name of the machine, for people. */
  readonly name: string;
}

/** A launcher of an older version does not say the name of its machine: its place stands for it. */
export function placeIn(host: string): LauncherPlace {
  const [place = "", , ...name] = host.split(separator);
  return { place, name: name.length === 0 ? place : name.join(separator) };
}

/**
 * `stepwell desk` prints an address that ends in `#token=…`. What stands behind the `#` is sent to nobody, so no log has it; and it goes
 * out of the address, and so out of the browser's list, as soon as it has been handed in.
 */
import { signIn } from "./api.js";

export async function enterByAddress(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(history.state, "", `${location.pathname}${location.search}`);
  // Where it is refused, the page asks for another one.
  await signIn(token).catch(() => undefined);
}

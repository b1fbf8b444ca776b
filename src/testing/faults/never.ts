/** What never comes. One promise for all would keep whoever waits for it, and with them the world that they were in. */
export function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Where the page is mounted: what the handler wrote into `<base href>`. */

/** Of something that the handler serves, relative to where it is mounted. */
export const addressOf = (path: string): string => new URL(path, document.baseURI).href;

/** As a router wants it: `` at the root, `/admin/desk` elsewhere. */
export const mount = new URL(".", document.baseURI).pathname.replace(/\/$/, "");

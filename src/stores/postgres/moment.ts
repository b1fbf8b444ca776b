/**
 * The time of a statement: the server's, in milliseconds, as the transaction began; or the one that was
 * given as the first value, for a store whose clock is one of this process.
 */
export const instant = "coalesce($1::float8, floor(extract(epoch FROM now()) * 1000)::float8)";

/** Of many rows it is worked out once. */
export const moment = `moment AS MATERIALIZED (SELECT ${instant} AS at)`;

export const at = "(SELECT at FROM moment)";

/**
 * `stepwell_work`: what launchers have in work, and what of that has an arrival that no commit has seen. It stands beside the
 * executions, so that who takes one up or lets it go writes no index of theirs.
 */

/** What is taken up, or created by a launcher. @param from rows with `owner` and `id` */
export const takenUp = (from: string): string => `,
working AS (
  INSERT INTO stepwell_work (owner, id) SELECT owner, id FROM ${from} WHERE owner IS NOT NULL ORDER BY id
  ON CONFLICT DO NOTHING
)`;

/** What was let go: rows of `updated` that have no `keeper`. */
export const letGo = `,
let_go AS (
  DELETE FROM stepwell_work AS w USING updated AS u WHERE u.keeper IS NULL AND w.owner = u.owner AND w.id = u.id
)`;

/** All that came for them was seen. */
export const heard = `,
heard AS (
  UPDATE stepwell_work AS w SET signalled = false FROM updated AS u
  WHERE u.keeper IS NOT NULL AND w.owner = u.owner AND w.id = u.id AND w.signalled
)`;

/** `arrivals` came for rows of `raised`. */
export const signalled = `,
signalling AS (
  UPDATE stepwell_work AS w SET signalled = true FROM raised AS r
  WHERE r.arrivals > 0 AND w.owner = r.owner AND w.id = r.id AND NOT w.signalled
)`;

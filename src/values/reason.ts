/** The words for success; no failure and no rollback may give itself such a reason. */
const successWords: readonly string[] = ["normal", "ok"];

export function meansSuccess(reason: string): boolean {
  return successWords.includes(reason.trim());
}

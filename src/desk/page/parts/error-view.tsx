/** An error as it was stored: its message, its stack and what caused it, each one under the other. */

interface Stored {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: string | undefined;
  readonly cause?: unknown;
}

const isStored = (value: unknown): value is Stored =>
  typeof value === "object" && value !== null && "message" in value && typeof value.message === "string";

/** Without its first line, which says the message again. */
function frames({ stack, message }: Stored): string {
  if (stack === undefined) return "";
  const at = stack.indexOf(message);
  return (at < 0 ? stack : stack.slice(at + message.length)).replace(/^\n+/, "");
}

export function ErrorView({ error, depth = 0 }: { readonly error: unknown; readonly depth?: number }) {
  if (!isStored(error)) return <p className="text-any font-mono text-sm">{String(error)}</p>;
  const where = frames(error);
  return (
    <div className="min-w-0">
      <p className="text-any">
        <span className="font-semibold text-bad">{error.name}</span>
        {error.code !== undefined && <span className="ml-1.5 font-mono text-xs text-faint">{error.code}</span>}
        <span className="text-faint">: </span>
        {error.message}
      </p>
      {where !== "" && (
        <details className="mt-1" open={depth === 0 ? undefined : false}>
          <summary className="inline-block rounded text-sm text-water hover:underline">Stack</summary>
          <pre
            tabIndex={0}
            className="mt-1 max-h-72 overflow-auto rounded-md bg-paper p-3 font-mono text-xs leading-relaxed text-soft"
          >
            {where}
          </pre>
        </details>
      )}
      {error.cause !== undefined && error.cause !== null && depth < 8 && (
        <div className="mt-2 border-l-2 border-line pl-3">
          <p className="eyebrow mb-0.5">Caused by</p>
          <ErrorView error={error.cause} depth={depth + 1} />
        </div>
      )}
    </div>
  );
}

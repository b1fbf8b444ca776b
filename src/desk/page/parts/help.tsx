import { keysNow } from "../base/keys.js";
import { Panel } from "./dialog.js";

export function Help({ close }: { readonly close: () => void }) {
  return (
    <Panel title="Keys" close={close}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-2.5">
        {keysNow().map(({ keys, does }) => (
          <div key={keys} className="contents">
            <dt className="flex gap-1">
              {keys.split(" ").map((key) => (
                <kbd
                  key={key}
                  className="min-w-6 rounded border border-edge bg-raised px-1.5 text-center font-mono text-sm"
                >
                  {key}
                </kbd>
              ))}
            </dt>
            <dd className="text-soft">{does}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

/** What an execution at rest did, what undid it, and what is left in the world: to be read, and to be printed. */
import type { CertificateView } from "../../http/shapes.js";
import { useRead } from "../base/api.js";
import { useAsked } from "../base/url.js";
import { Button } from "../parts/button.js";
import { ExecutionLink } from "../parts/pieces.js";
import { Section } from "../parts/section.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading } from "../parts/states.js";

export function CertificatePage() {
  const [asked] = useAsked();
  const id = asked.get("id") ?? "";
  const { data, error } = useRead<CertificateView>("api/execution/certificate", { id }, id !== "");
  if (error !== null) return <Failure error={error} />;
  if (data === undefined) return <Loading rows={10} />;
  const { sections, left, notes, heads } = data;
  return (
    <>
      <PageHead title={`Certificate of ${data.execution}`}>
        <span className="print:hidden">
          <Button small onClick={() => window.print()}>
            Print
          </Button>
        </span>
      </PageHead>
      <div className="flex flex-col gap-5">
        <Section title="Left in the world">
          {left.length === 0 ? <p className="px-4 py-3">Nothing.</p> : <Rows heads={heads.left} rows={left} />}
        </Section>
        {sections.map(({ execution, rested, rows }) => (
          <Section key={execution} title={execution} aside={<ExecutionLink id={execution} className="print:hidden" />}>
            <p className="text-any px-4 py-2 text-soft">{rested}</p>
            {rows.length > 0 && <Rows heads={heads.doings} rows={rows} />}
          </Section>
        ))}
        {notes.map((note) => (
          <p key={note} className="text-any px-1 text-sm text-soft">
            {note}
          </p>
        ))}
      </div>
    </>
  );
}

/** The moments in it are not broken over lines. */
function unbroken(cell: string) {
  return cell.split(/(\d{4}-\d\d-\d\dT[\d:.]+Z)/).map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <time key={index} className="whitespace-nowrap">
        {part}
      </time>
    ),
  );
}

interface RowsProps {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function Rows({ heads, rows }: RowsProps) {
  return (
    <div className="overflow-x-auto print:overflow-visible" role="region" aria-label="Table" tabIndex={0}>
      <table className="w-full text-left text-sm">
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col" className="px-4 py-1.5 font-semibold">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index} className="break-inside-avoid border-t border-line">
              {row.map((cell, at) => (
                <td key={at} className="text-any px-4 py-1.5 align-top">
                  {unbroken(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

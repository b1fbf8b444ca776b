/** Certificates for people: as text, and as Markdown. */
import type { CertifiedDoing, WhyLeft } from "../execution/certificate.js";
import type { Certificate, CertifiedExecution, LeftInWorld } from "./certificate.js";

const whyWords: Readonly<Record<WhyLeft, string>> = {
  irreversible: "can't be undone",
  "no-undo": "has no undo",
  skipped: "an operator took it as undone",
  dropped: "a migration took its step out of the workflow",
  "undo-failed": "its undo has failed",
  "in-doubt": "nobody knows whether it was done",
  stands: "nothing has undone it",
};

const outcomeWords: Readonly<Record<CertifiedDoing["outcome"], string>> = {
  done: "done",
  failed: "failed",
  begun: "begun, and turned meanwhile",
  "in-doubt": "in doubt",
  recovered: "failed, and went on",
  skipped: "taken as done by an operator",
  elsewhere: "done elsewhere",
};

const undoWords = { undone: "undone", skipped: "taken as undone by an operator", failed: "undo failed" } as const;

/** A certificate as text. What users have named is on one line. */
export function certificateText(certificate: Certificate): string {
  const { left, untold, digest, format } = certificate;
  return [
    ...executionText(certificate, ""),
    "",
    left.length === 0 ? "Left in the world: nothing." : "Left in the world:",
    ...left.map((it) => `  ${it.execution}, ${it.step}${roundText(it.round)}: ${leftText(it)} (${it.key})`),
    ...(untold === 0 ? [] : [`Not told: ${untold} executions below it.`]),
    "",
    `Digest, SHA-256, format ${format}: ${digest}`,
  ].join("\n");
}

function executionText(it: CertifiedExecution, indent: string): string[] {
  const { execution, workflow, version, status, reason, createdAt, restedAt, doings, children } = it;
  return [
    `${indent}${execution}, ${workflow} ${version}: ${status}${reason === "normal" ? "" : `, ${reason}`}`,
    `${indent}launched ${createdAt}, at rest ${restedAt}`,
    ...doings.map((doing) => `${indent}  ${doingText(doing)}`),
    ...children.flatMap((child) => executionText(child, `${indent}    `)),
  ];
}

function doingText(doing: CertifiedDoing): string {
  const { step, round, key, undo } = doing;
  const undone = undo === undefined ? "" : `; ${undoText(undo)} (${undo.key})`;
  return `${step}${roundText(round)}: ${upText(doing)} (${key})${undone}${stays(doing)}`;
}

function upText({ outcome, at, by, why }: CertifiedDoing): string {
  return `${outcomeWords[outcome]}${at === undefined ? "" : ` ${at}`}${byText(by)}${why === undefined ? "" : `: ${why}`}`;
}

function undoText({ outcome, at, by, why }: NonNullable<CertifiedDoing["undo"]>): string {
  return `${undoWords[outcome]} ${at}${byText(by)}${why === undefined ? "" : `: ${why}`}`;
}

function stays({ left, said }: CertifiedDoing): string {
  if (left === undefined || left === "skipped") return "";
  return `; stays: ${whyWords[left]}${said === undefined ? "" : `: ${said}`}`;
}

function leftText({ why, said, by }: LeftInWorld): string {
  return `${whyWords[why]}${byText(by)}${said === undefined ? "" : `: ${said}`}`;
}

function byText(by: string | undefined): string {
  return by === undefined ? "" : `, by ${by}`;
}

function roundText(round: number): string {
  return round === 0 ? "" : `, round ${round}`;
}

/** A certificate as tables: what a page and Markdown show of it. */
export interface CertificateTables {
  /** One execution after the other, children below their parent: `level` 0 is the one that was asked for. */
  readonly sections: readonly {
    readonly execution: string;
    readonly level: number;
    /** A sentence: what has become of it. */
    readonly rested: string;
    readonly rows: readonly (readonly string[])[];
  }[];
  readonly left: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

/** The heads of the tables. */
export const certificateHeads = {
  doings: ["step", "up", "key", "down", "its key"],
  left: ["execution", "step", "why", "key"],
} as const;

export function certificateTables(certificate: Certificate): CertificateTables {
  const { left, untold, digest, format } = certificate;
  return {
    sections: sectionsOf(certificate, 0),
    left: left.map((it) => [it.execution, `${it.step}${roundText(it.round)}`, leftText(it), it.key]),
    notes: [
      ...(untold === 0 ? [] : [`Not told: ${untold} executions below it.`]),
      `Digest, SHA-256, format ${format}: ${digest}`,
    ],
  };
}

function sectionsOf(it: CertifiedExecution, level: number): CertificateTables["sections"] {
  const { execution, workflow, version, status, reason, createdAt, restedAt, doings, children } = it;
  const rested = `${workflow} ${version}: ${status}${reason === "normal" ? "" : `, ${reason}`}. Launched ${createdAt}, at rest ${restedAt}.`;
  const rows = doings.map((doing) => [
    `${doing.step}${roundText(doing.round)}`,
    upText(doing),
    doing.key,
    `${doing.undo === undefined ? "" : undoText(doing.undo)}${stays(doing)}`.replace(/^; /, ""),
    doing.undo?.key ?? "",
  ]);
  return [{ execution, level, rested, rows }, ...children.flatMap((child) => sectionsOf(child, level + 1))];
}

/** A certificate as Markdown. */
export function certificateMarkdown(certificate: Certificate): string {
  const { sections, left, notes } = certificateTables(certificate);
  return [
    `# Certificate of ${cell(certificate.execution)}`,
    ...sections.flatMap(({ execution, level, rested, rows }) => [
      ...(level === 0 ? [] : [`${"#".repeat(Math.min(level + 1, 6))} ${cell(execution)}`]),
      "",
      cell(rested),
      "",
      ...(rows.length === 0 ? ["Nothing was done.", ""] : table(certificateHeads.doings, rows)),
    ]),
    "## Left in the world",
    "",
    ...(left.length === 0 ? ["Nothing.", ""] : table(certificateHeads.left, left)),
    ...notes.flatMap((note) => [note, ""]),
  ].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""];
}

/** What users have named can't break out of its cell, or be taken for a link, a picture or HTML. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\\`*_[\]<>|#!&~]/g, (sign) => `\\${sign}`);
}

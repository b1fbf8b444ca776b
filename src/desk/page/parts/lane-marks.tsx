/**
 * The picture of the two lanes: the way up on the left, the way down on the right, one row for each step. Each row draws its own piece
 * of it, so that the pieces join and the words beside them stay in reach of who listens.
 */
import { pathOf, type IconName } from "../base/icons.js";

/** What the sign on a lane looks like. */
export interface Sign {
  readonly icon: IconName | "dot" | "ring";
  readonly tone: "water" | "good" | "bad" | "back" | "wait" | "idle" | "warn";
  /** Filled: it happened. Hollow: it did not, or not yet. */
  readonly filled: boolean;
}

/** A piece of the way: none, walked, or still to be walked. */
export type Way = "none" | "walked" | "ahead";

export interface Piece {
  readonly up?: Sign | undefined;
  readonly down?: Sign | undefined;
  /** Above and below the sign, on each lane. */
  readonly upWays: readonly [Way, Way];
  readonly downWays: readonly [Way, Way];
  /** Here the execution turned: from one lane to the other. */
  readonly turns: boolean;
}

const upAt = 24;
const downAt = 68;

const fills = {
  water: "fill-water stroke-water text-on-water",
  good: "fill-good stroke-good text-card",
  bad: "fill-bad stroke-bad text-on-bad",
  back: "fill-back stroke-back text-card",
  wait: "fill-wait stroke-wait text-card",
  idle: "fill-idle stroke-idle text-card",
  warn: "fill-warn stroke-warn text-card",
} as const;

const hollows = {
  water: "fill-card stroke-water text-water",
  good: "fill-card stroke-good text-good",
  bad: "fill-card stroke-bad text-bad",
  back: "fill-card stroke-back text-back",
  wait: "fill-card stroke-wait text-wait",
  idle: "fill-card stroke-edge text-idle",
  warn: "fill-card stroke-warn text-warn",
} as const;

function Mark({ sign, x }: { readonly sign: Sign; readonly x: number }) {
  const { icon, tone, filled } = sign;
  const look = (filled ? fills : hollows)[tone];
  return (
    <svg x={x} y="50%" overflow="visible" className={look}>
      {icon === "dot" ? (
        <circle r="4" strokeWidth="1.5" />
      ) : (
        <circle r="11" strokeWidth="1.8" strokeDasharray={icon === "ring" ? "3.2 3" : undefined} />
      )}
      {icon !== "dot" && icon !== "ring" && (
        <path
          d={pathOf(icon)}
          transform="translate(-7 -7) scale(0.7)"
          className={`stroke-current ${icon === "half" ? "fill-current" : "fill-none"}`}
          strokeWidth="2.6"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      )}
    </svg>
  );
}

interface LineProps {
  readonly x: number;
  readonly half: "above" | "below";
  readonly way: Way;
  readonly lane: "up" | "down";
}

function Line({ x, half, way, lane }: LineProps) {
  if (way === "none") return null;
  const walked = lane === "up" ? "stroke-water" : "stroke-back";
  return (
    <line
      x1={x}
      x2={x}
      y1={half === "above" ? "0%" : "50%"}
      y2={half === "above" ? "50%" : "100%"}
      className={way === "ahead" ? "stroke-edge" : walked}
      strokeWidth={way === "ahead" ? 1.6 : 2.4}
      strokeDasharray={way === "ahead" ? "2 4" : undefined}
    />
  );
}

/** As wide as two lanes, as high as its row. */
export function LanePiece({ up, down, upWays, downWays, turns }: Piece) {
  return (
    <svg aria-hidden="true" width="92" height="100%" className="absolute inset-y-0 left-0">
      <Line x={upAt} half="above" way={upWays[0]} lane="up" />
      <Line x={upAt} half="below" way={upWays[1]} lane="up" />
      <Line x={downAt} half="above" way={downWays[0]} lane="down" />
      <Line x={downAt} half="below" way={downWays[1]} lane="down" />
      {turns && <line x1={upAt} x2={downAt} y1="50%" y2="50%" className="stroke-back" strokeWidth="2.4" />}
      {up !== undefined && <Mark sign={up} x={upAt} />}
      {down !== undefined && <Mark sign={down} x={downAt} />}
    </svg>
  );
}

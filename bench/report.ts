/** One figure of the benchmark. `ratio` compares it with the raw limit that was measured in the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly ratio?: number;
}

export function print({ name, value, unit, ratio }: Figure, asJson: boolean): void {
  if (asJson) {
    console.log(JSON.stringify({ name, value, unit, ...(ratio !== undefined && { ratio }) }));
    return;
  }
  const shown = value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });
  const beside = ratio === undefined ? "" : `  ratio ${ratio.toFixed(2)}`;
  console.log(`${name.padEnd(22)} ${shown.padStart(12)} ${unit}${beside}`);
}

/** Rounded to what a second run would give again, more or less. */
export function rounded(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000;
}

import type { ButtonHTMLAttributes } from "react";
import { Icon, type IconName } from "../base/icons.js";

type Look = "plain" | "main" | "danger" | "quiet";

const looks: Readonly<Record<Look, string>> = {
  plain: "border-edge bg-card text-ink hover:border-water hover:text-water-deep",
  main: "border-transparent bg-water text-on-water hover:bg-water-deep",
  danger: "border-transparent bg-bad text-on-bad hover:opacity-90",
  quiet: "border-transparent text-soft hover:bg-water-tint hover:text-water-deep",
};

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: Look;
  readonly icon?: IconName;
  readonly small?: boolean;
}

const buttonClass = (look: Look, small: boolean): string =>
  `inline-flex items-center justify-center gap-1.5 rounded-[7px] border font-medium whitespace-nowrap transition-colors disabled:cursor-not-allowed disabled:opacity-50 ${
    small ? "min-h-7 px-2 text-sm" : "min-h-[2.125rem] px-3 text-base"
  } ${looks[look]}`;

export function Button({ look = "plain", icon, small = false, className = "", children, ...rest }: Props) {
  return (
    <button type="button" className={`${buttonClass(look, small)} ${className}`} {...rest}>
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}

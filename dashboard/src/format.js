// Numbers, money and times in the reader's language and the shop's currency and time zone.
import { language, t } from "./texts.js";

let shop = { currency: "USD", time_zone: "UTC", now: null };
const made = new Map();

export function setShop(config) {
  shop = config;
  made.clear();
}

export const now = () => (shop.now ? Date.parse(shop.now) : Date.now());

function formatter(Kind, options) {
  const key = JSON.stringify([Kind.name, language(), options]);
  if (!made.has(key)) made.set(key, new Kind(language(), options));
  return made.get(key);
}

const missing = (value) => value === null || value === undefined || Number.isNaN(value);
const number = (options) => (value) => (missing(value) ? "–" : formatter(Intl.NumberFormat, options).format(value));

export const whole = number({ maximumFractionDigits: 0 });
export const short = number({ notation: "compact", maximumSignificantDigits: 3 });
export const decimal = number({ maximumSignificantDigits: 3 });
export const percent = number({ style: "percent", maximumFractionDigits: 0 });
export const percent1 = number({ style: "percent", maximumFractionDigits: 1 });
export const signed = number({ signDisplay: "exceptZero", minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const money = (value) =>
  missing(value)
    ? "–"
    : formatter(Intl.NumberFormat, {
        style: "currency",
        currency: shop.currency,
        maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0,
      }).format(value);

export const signedNumber = number({ signDisplay: "exceptZero", maximumSignificantDigits: 3 });
export const signedMoney = (value) => (missing(value) ? "–" : `${value > 0 ? "+" : ""}${money(value)}`);
// A difference of shares, in percentage points.
export const points = (value) => (missing(value) ? "–" : t("points", { n: formatter(Intl.NumberFormat, { signDisplay: "exceptZero", minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(100 * value) }));

const time = (options) => (value) =>
  missing(value) ? "–" : formatter(Intl.DateTimeFormat, { timeZone: shop.time_zone, ...options }).format(new Date(value));

export const day = time({ dateStyle: "medium" });
export const shortDay = time({ day: "numeric", month: "short" });
export const moment = time({ dateStyle: "medium", timeStyle: "short" });
export const clock = time({ hour: "2-digit", minute: "2-digit" });

const STEPS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60]];

export function ago(value) {
  if (missing(value)) return "–";
  const seconds = (Date.parse(value) - now()) / 1000;
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ["minute", 60];
  return formatter(Intl.RelativeTimeFormat, { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

// `days_since_order` is for machines; names of a shop's own stay as they are.
export const words = (name) => name.replaceAll("_", " ");

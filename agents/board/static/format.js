// Figures as people read them. Absent figures (null) are a dash: zero is a figure, absence is none.

import { lang } from "./i18n.js";

const locale = lang === "fa" ? "fa-IR" : "en-GB";
const NONE = "–";
const numbers = new Map();
const JALALI = {
  en: ["Farvardin", "Ordibehesht", "Khordad", "Tir", "Mordad", "Shahrivar", "Mehr", "Aban", "Azar", "Dey", "Bahman", "Esfand"],
  fa: ["فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"],
};
const JALALI_YEARS_BELOW = 1700;

function cached(options) {
  const key = JSON.stringify(options);
  if (!numbers.has(key)) numbers.set(key, new Intl.NumberFormat(locale, options));
  return numbers.get(key);
}

export function number(value, digits = 0) {
  return value === null || value === undefined ? NONE : cached({ maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}

export function percent(value, digits = 0, sign = "auto") {
  return value === null || value === undefined
    ? NONE
    : cached({ style: "percent", maximumFractionDigits: digits, signDisplay: sign }).format(value);
}

export function money(text, currency, whole = false) {
  if (text === null || text === undefined) return NONE;
  const value = Number(text);
  const brief = whole || Math.abs(value) < 10000 ? { maximumFractionDigits: 0 } : { notation: "compact", maximumFractionDigits: 1 };
  try {
    return cached({ style: "currency", currency, currencyDisplay: "narrowSymbol", ...brief }).format(value);
  } catch {
    return `${cached(brief).format(value)} ${currency}`; // not a currency the browser knows
  }
}

export function change(text, currency) {
  const value = Number(text);
  const plain = money(Math.abs(value), currency);
  return value < 0 ? `−${plain}` : value > 0 ? `+${plain}` : plain;
}

// Every currency of an amount, the first one first.
export function amounts(found) {
  const all = Object.entries(found).map(([currency, text]) => money(text, currency));
  return all.length ? all.join(" + ") : number(0);
}

const UNITS = { second: " s", minute: " min", hour: " h" };

function united(value, unit, digits) {
  if (lang === "en") return `${number(value, digits)}${UNITS[unit]}`; // the browser's "secs" and "hrs" are longer than need be
  return cached({ style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 60) return united(Math.floor(seconds), "second", 0);
  if (seconds < 3600) return united(Math.floor(seconds / 60), "minute", 0);
  return united(seconds / 3600, "hour", seconds < 36000 && seconds % 3600 ? 1 : 0);
}

export function age(seconds) {
  return seconds < 120 ? united(seconds, "second", seconds < 10 ? 1 : 0) : duration(seconds);
}

function digits(text) {
  return lang === "fa" ? text.replace(/[0-9]/g, digit => "۰۱۲۳۴۵۶۷۸۹"[digit]) : text;
}

// Instants come in the organisation's zone; they are shown as they come, whatever zone the screen is in.
export function time(rfc3339) {
  return rfc3339 ? digits(rfc3339.slice(11, 16)) : NONE;
}

let days = null;

// Days are written in the organisation's calendar, which shows in the label of its month.
export function setCalendar(label) {
  const calendar = Number(label.split("-")[0]) < JALALI_YEARS_BELOW ? "persian" : "gregory";
  days = new Intl.DateTimeFormat(`${locale}-u-ca-${calendar}`, { month: lang === "fa" ? "long" : "short", day: "numeric", timeZone: "UTC" });
}

export function day(rfc3339) {
  if (!rfc3339) return NONE;
  const date = new Date(`${rfc3339.slice(0, 10)}T00:00:00Z`);
  return days === null || Number.isNaN(date.getTime()) ? digits(rfc3339.slice(0, 10)) : days.format(date);
}

export function moment(rfc3339, today) {
  return today && rfc3339.slice(0, 10) === today.slice(0, 10) ? time(rfc3339) : `${day(rfc3339)} ${time(rfc3339)}`;
}

// A label of the organisation's calendar: "2026-11" or, Jalali, "1405-08".
export function month(label, brief = false) {
  const [year, one] = label.split("-").map(Number);
  if (year < JALALI_YEARS_BELOW) return `${JALALI[lang][one - 1]}${brief ? "" : ` ${digits(String(year))}`}`;
  const date = new Date(Date.UTC(year, one - 1, 1));
  const calendar = lang === "fa" ? "fa-IR-u-ca-gregory" : "en-GB";
  return new Intl.DateTimeFormat(calendar, { month: brief ? "short" : "long", ...(brief ? {} : { year: "numeric" }), timeZone: "UTC" }).format(date);
}

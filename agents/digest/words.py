"""What the digest says, in each language, and how numbers, amounts and days are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

import jdatetime

from funnelwatch.schemas.document import Alert
from funnelwatch.streams.detectors.alerts import sentence

EN: Final[dict[str, Any]] = {
    "title": "Your team this morning",
    "help": "Who needs help, and why",
    "nobody": "Nobody stands out. Nothing to do but to say so.",
    "yesterday": "On {day}",
    "against": "against the benchmark",
    "done": "contacts",
    "of": "of",
    "won": "won",
    "lost": "lost",
    "created": "new deals",
    "moves": "moves forward",
    "amount": "won amount",
    "alerts": "Warnings, and pages held back",
    "withheld": "held back: you had the pages of the day",
    "no_alerts": "None.",
    "since": "since",
    "recordings": "Recordings worth hearing",
    "no_recordings": "None of the last days.",
    "listen": "Listen",
    "lost_deal": "on a lost deal",
    "rep": "Rep",
    "team": "Team",
    "because": "Because of",
    "pace": "Pace",
    "all": "All reps",
    "more": "and {n} more on the page",
    "without": "Reps without a manager",
    "open": "Open the page",
    "minutes": "min",
    "comma": ", ",
    "reasons": {
        "loss_spike": "loss rate",
        "funnel_stalled": "stalled funnel",
        "pace": "behind quota pace",
        "growth": "behind last month",
        "overdue": "overdue deals",
        "outreach": "little outreach",
        "conversion": "low conversion",
    },
    "detectors": {
        "loss_spike": "Loss-rate spike",
        "funnel_stalled": "Funnel stalled",
        "sales_declining": "Sales declining",
        "outreach_short": "Outreach short",
        "conversion_low": "Conversion low",
    },
    "footer": "Figures as of {time}. Every definition is on the page. You get this on working days.",
}

FA: Final[dict[str, Any]] = {
    "title": "تیم شما در آغاز روز",
    "help": "چه کسی به کمک نیاز دارد و چرا",
    "nobody": "کسی از دیگران عقب نمانده است.",
    "yesterday": "در {day}",
    "against": "در برابر معیار",
    "done": "تماس",
    "of": "از",
    "won": "برد",
    "lost": "باخت",
    "created": "معاملهٔ تازه",
    "moves": "پیشرفت",
    "amount": "مبلغ برده",
    "alerts": "اخطارها و هشدارهای نگه‌داشته",
    "withheld": "نگه داشته شد: هشدارهای امروز شما پر شده بود",
    "no_alerts": "هیچ.",
    "since": "از",
    "recordings": "مکالمه‌هایی که باید شنید",
    "no_recordings": "در روزهای اخیر چیزی نیست.",
    "listen": "شنیدن",
    "lost_deal": "معاملهٔ باخته",
    "rep": "فروشنده",
    "team": "تیم",
    "because": "به دلیل",
    "pace": "آهنگ",
    "all": "همهٔ فروشندگان",
    "more": "و {n} نفر دیگر در صفحه",
    "without": "فروشندگان بی‌مدیر",
    "open": "باز کردن صفحه",
    "minutes": "دقیقه",
    "comma": "، ",
    "reasons": {
        "loss_spike": "نرخ باخت",
        "funnel_stalled": "قیف راکد",
        "pace": "عقب از سهمیه",
        "growth": "کمتر از ماه پیش",
        "overdue": "معامله‌های دیرمانده",
        "outreach": "تماس کم",
        "conversion": "تبدیل کم",
    },
    "detectors": {
        "loss_spike": "جهش نرخ باخت",
        "funnel_stalled": "قیف راکد",
        "sales_declining": "کاهش فروش",
        "outreach_short": "تماس کم",
        "conversion_low": "تبدیل کم",
    },
    "footer": "رقم‌ها تا {time}. تعریف هر رقم در صفحه هست. این نامه در روزهای کاری می‌آید.",
}

WORDS: Final = {"en": EN, "fa": FA}
DIRECTIONS: Final = {"en": "ltr", "fa": "rtl"}

_DIGITS: Final = str.maketrans("0123456789,.%", "۰۱۲۳۴۵۶۷۸۹٬٫٪")
_MONTHS: Final = {
    "gregorian": {
        "en": [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        "fa": [
            "ژانویه",
            "فوریه",
            "مارس",
            "آوریل",
            "مه",
            "ژوئن",
            "ژوئیه",
            "اوت",
            "سپتامبر",
            "اکتبر",
            "نوامبر",
            "دسامبر",
        ],
    },
    "jalali": {
        "en": [
            "Farvardin",
            "Ordibehesht",
            "Khordad",
            "Tir",
            "Mordad",
            "Shahrivar",
            "Mehr",
            "Aban",
            "Azar",
            "Dey",
            "Bahman",
            "Esfand",
        ],
        "fa": [
            "فروردین",
            "اردیبهشت",
            "خرداد",
            "تیر",
            "مرداد",
            "شهریور",
            "مهر",
            "آبان",
            "آذر",
            "دی",
            "بهمن",
            "اسفند",
        ],
    },
}
_WEEKDAYS: Final = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "fa": ["دوشنبه", "سه\u200cشنبه", "چهارشنبه", "پنجشنبه", "جمعه", "شنبه", "یکشنبه"],
}


class Writing:
    """Numbers and days in one language and one calendar system."""

    def __init__(self, language: str, system: str) -> None:
        self.language = language if language in WORDS else "en"
        self._system = system

    def digits(self, text: str) -> str:
        """The digits of the language."""
        return text.translate(_DIGITS) if self.language == "fa" else text

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with separators."""
        return self.digits(f"{value:,.{decimals}f}")

    def percent(self, share: float) -> str:
        """A share."""
        return self.digits(f"{share:.0%}")

    def money(self, amounts: Mapping[str, str]) -> str:
        """Amounts, each with its currency; a dash for none."""
        return " + ".join(f"{self.number(float(Decimal(text)))} {code}" for code, text in amounts.items()) or "–"

    def day(self, iso: str) -> str:
        """A day with its weekday, in the organisation's calendar."""
        then = date.fromisoformat(iso)
        weekday = _WEEKDAYS[self.language][then.weekday()]
        year, month, day = then.year, then.month, then.day
        if self._system == "jalali":
            own = jdatetime.date.fromgregorian(date=then)
            year, month, day = own.year, own.month, own.day
        return self.digits(f"{weekday} {day} {_MONTHS[self._system][self.language][month - 1]} {year}")

    def time(self, rfc3339: str) -> str:
        """The time of day of an instant."""
        return self.digits(rfc3339[11:16])

    def moment(self, rfc3339: str) -> str:
        """Day and time of an instant."""
        return f"{self.day(rfc3339[:10])} {self.time(rfc3339)}"

    def minutes(self, seconds: float) -> str:
        """A duration in minutes."""
        return self.number(seconds / 60, 1)

    def sentence(self, alert: Alert) -> str:
        """What an alert says."""
        if self.language == "en":
            return sentence(alert.evidence, alert.name)
        found, who = alert.evidence, f"\u2068{alert.name}\u2069"  # isolated: the name may run the other way
        seen, of = self.number(found.observed), self.number(found.of)
        match alert.detector:
            case "loss_spike":
                days, usual = self.number(found.window_days), self.percent(found.baseline)
                return f"{who} در {days} روز کاری {seen} از {of} معامله را باخته است؛ انتظار {usual} بود."
            case "funnel_stalled":
                hours, expected = self.number(found.observed / 3600, 1), self.number(found.of, 1)
                return f"هیچ معامله‌ای از {who} در {hours} ساعت کاری پیش نرفته است؛ {expected} پیشرفت انتظار می‌رفت."
            case "sales_declining":
                return f"{who} این ماه {seen} برد دارد؛ ماه پیش تا همین‌جا {self.number(found.baseline)}."
            case "outreach_short":
                return f"{who} در ۵ روز کاری {seen} تماس گرفته است؛ معیار {of} است."
            case _:
                usual = self.percent(found.baseline)
                return f"{who} از {of} سرنخ واجد شرایط {seen} را مشتری کرده است؛ انتظار {usual} بود."

// What the pages say, in each language. Figures, names and addresses come from the board and are never part of this.

const en = {
  skip: "Skip to the list", alerts: "Alerts", organisation: "Organisation", worstFirst: "Worst first", view: "View",
  reps: "Reps", teams: "Teams", find: "Find", empty: "Nobody here yet. Figures appear as soon as events arrive.",
  tableCaption: "Key figures, worst first", allReps: "All reps", nobody: "No alerts. Nothing is out of the ordinary.",
  more: n => `Show ${n} more`, fewer: "Show fewer", shown: (n, of) => (n === of ? `${n}` : `${n} of ${of}`),
  critical: "Critical", warning: "Warning", told: t => `told at ${t}`, since: t => `since ${t}`, team: "Team", manager: t => `Manager ${t}`,
  evidence: "Evidence", evidenceText: v => `evidence ${v}`, month: m => m, asOf: t => `as of ${t}`,
  elapsed: p => `${p} of the month's working time`, inactive: "inactive",
  age: a => `Figures ${a} old`, connecting: "Connecting …", unknownAge: "No figures",
  lost: t => `No connection to the board since ${t}. What you see is not current; trying again.`,
  notWhole: d => `Figures are not current. ${d}`, old: a => `Figures are ${a} old: a worker has not confirmed them. What you see may have changed.`,
  unknownRep: id => `There is no rep with the id ${id}.`,
  rank: "Rank", rep: "Rep", sales: "Won this month", pace: "Pace", growth: "Against last month", idle: "Idle",
  open: "Open deals", conversion: "Conversion", outreach: "Outreach today", loss: "Loss rate", signs: "Evidence",
  hintPace: "1 = on pace", hintGrowth: "same working time", hintIdle: "working time",
  hint30: "30 days", hintOutreach: "of benchmark by now", hintEvidence: "page above 4", hintSales: "of quota; mark: where the month is",
  of: (a, b) => `${a} of ${b}`, noQuota: "no quota", overdue: n => `${n} overdue`, noneOverdue: "none overdue",
  expected: v => `expected ${v}`, decided: (a, b) => `${a} of ${b} decided`, fiveDays: v => `5 days ${v}`, support: "needs support",
  causes: { volume: "fewer decided", win_rate: "win rate", deal_size: "deal size" }, because: c => `mainly ${c}`,
  halves: { acceptance: "acceptance leaks", closing: "closing leaks" },
  detectors: { loss_spike: "Loss-rate spike", funnel_stalled: "Funnel stalled", sales_declining: "Sales declining", outreach_short: "Outreach short", conversion_low: "Conversion low" },
  sentence: alert => alert.text,
  ahead: "ahead", behind: "behind", onPace: "on pace", better: "up", worse: "down",
  wonMonth: "Won this month", projection: "Projection", growthTile: "Against last month", pipeline: "Open pipeline",
  lossTile: "Loss rate, 30 days", conversionTile: "Conversion, 30 days", outreachTile: "Outreach today",
  deals: n => `${n} deals`, quota: v => `quota ${v}`, ofQuota: p => `${p} of quota`, onElapsed: p => `${p} of the month's time`, paceOf: v => `pace ${v}`,
  kpi1: "Sales, month over month", kpi2: "Funnel flow", kpi3: "Conversion", kpi4: "Outreach", kpi5: "Lost opportunities",
  history: "Month by month", recordings: "Recordings to hear first", noRecordings: "No recordings in the last days.",
  prevMtd: "Last month by now", prevMonth: "Last month, whole", attainment: "Quota attained", why: "Why it changed",
  volume: "Opportunities decided", win_rate: "Win rate", deal_size: "Average deal size", change: "Change",
  stage: "Stage", pipelineName: "Pipeline", openNow: "Open now", amount: "Amount", overdueNow: "Overdue", median: "Median time (30 days)",
  p90: "90th percentile", expectedTime: "Expected", bottleneck: "bottleneck", lastAdvance: "Last advance", velocity: "Velocity per working day",
  leads: "Leads", window: "Window", period: "Of the period", cohort: "Of the cohort", acceptance: "Accepted", closing: "Closed", leak: "What leaks",
  done: "Done", expectedDone: "Expected by now", attained: "Attained", calls: "Cold calls", emails: "Cold emails", drops: "Voicemail drops",
  connect: "Connect rate", talk: "Talk time", perDay: "Benchmark per working day", recent: "Last 5 working days",
  created: "Created", won: "Won", lostDeals: "Lost", lostAmount: "Lost amount", wonAmount: "Won amount", lossRate: "Loss rate", perLost: "Created per lost",
  byReason: "By reason, 30 days", byStage: "By stage, 30 days", none: "not given", winRate: "Win rate",
  when: "When", outcome: "Outcome", talkTime: "Talk time", deal: "Deal", listen: "Listen", onLost: "on a lost deal",
  outcomes: { connected: "connected", voicemail: "voicemail", voicemail_drop: "voicemail drop", no_answer: "no answer", busy: "busy", failed: "failed" },
  windows: { today: "Today", wtd: "This week", "7d": "7 days", "30d": "30 days", "90d": "90 days", mtd: "This month", prev_month: "Last month" },
  stages: { new: "New", qualified: "Qualified", accepted: "Accepted" },
};

const fa = {
  skip: "رفتن به فهرست", alerts: "هشدارها", organisation: "سازمان", worstFirst: "بدترین‌ها در بالا", view: "نما",
  reps: "فروشندگان", teams: "تیم‌ها", find: "جست‌وجو", empty: "هنوز کسی نیست. با رسیدن رویدادها رقم‌ها دیده می‌شوند.",
  tableCaption: "رقم‌های کلیدی، بدترین‌ها در بالا", allReps: "همهٔ فروشندگان", nobody: "هشداری نیست. همه چیز عادی است.",
  more: n => `${n} هشدار دیگر`, fewer: "نمایش کمتر", shown: (n, of) => (n === of ? `${n}` : `${n} از ${of}`),
  critical: "بحرانی", warning: "اخطار", told: t => `خبر داده شد ${t}`, since: t => `از ${t}`, team: "تیم", manager: t => `مدیر: ${t}`,
  evidence: "شواهد", evidenceText: v => `شواهد ${v}`, month: m => m, asOf: t => `در ${t}`,
  elapsed: p => `${p} از وقت کاری ماه`, inactive: "غیرفعال",
  age: a => `سن رقم‌ها ${a}`, connecting: "در حال اتصال …", unknownAge: "بدون رقم",
  lost: t => `ارتباط با تابلو از ${t} قطع است. این رقم‌ها به‌روز نیستند؛ دوباره تلاش می‌شود.`,
  notWhole: d => `رقم‌ها به‌روز نیستند. ${d}`, old: a => `سن رقم‌ها ${a} است و پردازشگر آن‌ها را تأیید نکرده است؛ شاید تغییر کرده باشند.`,
  unknownRep: id => `فروشنده‌ای با شناسهٔ ${id} نیست.`,
  rank: "رتبه", rep: "فروشنده", sales: "فروش این ماه", pace: "آهنگ", growth: "نسبت به ماه پیش", idle: "سکون",
  open: "معامله‌های باز", conversion: "نرخ تبدیل", outreach: "تماس‌های امروز", loss: "نرخ باخت", signs: "شواهد",
  hintPace: "۱ یعنی همگام با سهمیه", hintGrowth: "با وقت کاری برابر", hintIdle: "وقت کاری",
  hint30: "۳۰ روز", hintOutreach: "از معیار تا کنون", hintEvidence: "بالای ۴ بحرانی", hintSales: "از سهمیه؛ نشان: جای امروز",
  of: (a, b) => `${a} از ${b}`, noQuota: "بی سهمیه", overdue: n => `${n} دیرمانده`, noneOverdue: "بی دیرمانده",
  expected: v => `انتظار ${v}`, decided: (a, b) => `${a} از ${b} معامله`, fiveDays: v => `۵ روز ${v}`, support: "نیاز به کمک",
  causes: { volume: "فرصت کمتر", win_rate: "نرخ برد", deal_size: "اندازهٔ معامله" }, because: c => `بیشتر از ${c}`,
  halves: { acceptance: "نشت در پذیرش", closing: "نشت در بستن" },
  detectors: { loss_spike: "جهش نرخ باخت", funnel_stalled: "قیف راکد", sales_declining: "کاهش فروش", outreach_short: "تماس کم", conversion_low: "تبدیل کم" },
  sentence: (alert, f) => {
    const e = alert.evidence, who = `\u2068${alert.name}\u2069`; // isolated: the name may run the other way
    switch (alert.detector) {
      case "loss_spike": return `${who} در ${f.number(e.window_days)} روز کاری ${f.number(e.observed)} از ${f.number(e.of)} معامله را باخته است؛ انتظار ${f.percent(e.baseline)} بود.`;
      case "funnel_stalled": return `هیچ معامله‌ای از ${who} در ${f.number(e.observed / 3600, 1)} ساعت کاری پیش نرفته است؛ ${f.number(e.of, 1)} پیشرفت انتظار می‌رفت.`;
      case "sales_declining": return `${who} این ماه ${f.number(e.observed)} برد دارد؛ ماه پیش تا همین‌جا ${f.number(e.baseline)}.`;
      case "outreach_short": return `${who} در ۵ روز کاری ${f.number(e.observed)} تماس گرفته است؛ معیار ${f.number(e.of)} است.`;
      default: return `${who} از ${f.number(e.of)} سرنخ واجد شرایط ${f.number(e.observed)} را مشتری کرده است؛ انتظار ${f.percent(e.baseline)} بود.`;
    }
  },
  ahead: "جلوتر", behind: "عقب", onPace: "همگام", better: "بیشتر", worse: "کمتر",
  wonMonth: "فروش این ماه", projection: "پیش‌بینی پایان ماه", growthTile: "نسبت به ماه پیش", pipeline: "معامله‌های باز",
  lossTile: "نرخ باخت، ۳۰ روز", conversionTile: "نرخ تبدیل، ۳۰ روز", outreachTile: "تماس‌های امروز",
  deals: n => `${n} معامله`, quota: v => `سهمیه ${v}`, ofQuota: p => `${p} سهمیه`, onElapsed: p => `${p} از وقت ماه`, paceOf: v => `آهنگ ${v}`,
  kpi1: "فروش ماه به ماه", kpi2: "جریان قیف", kpi3: "نرخ تبدیل", kpi4: "تماس‌ها", kpi5: "فرصت‌های باخته",
  history: "ماه به ماه", recordings: "مکالمه‌هایی که نخست باید شنید", noRecordings: "در روزهای اخیر مکالمه‌ای ضبط نشده است.",
  prevMtd: "ماه پیش تا همین‌جا", prevMonth: "تمام ماه پیش", attainment: "تحقق سهمیه", why: "چرا تغییر کرد",
  volume: "فرصت‌های تعیین‌شده", win_rate: "نرخ برد", deal_size: "میانگین معامله", change: "تغییر",
  stage: "مرحله", pipelineName: "مسیر", openNow: "باز", amount: "مبلغ", overdueNow: "دیرمانده", median: "میانهٔ زمان (۳۰ روز)",
  p90: "صدک ۹۰", expectedTime: "انتظار", bottleneck: "گلوگاه", lastAdvance: "آخرین پیشرفت", velocity: "سرعت در روز کاری",
  leads: "سرنخ‌ها", window: "بازه", period: "دوره", cohort: "گروه", acceptance: "پذیرش", closing: "بستن", leak: "محل نشت",
  done: "انجام‌شده", expectedDone: "انتظار تا کنون", attained: "تحقق", calls: "تلفن سرد", emails: "ایمیل سرد", drops: "پیام صوتی",
  connect: "نرخ پاسخ", talk: "زمان گفت‌وگو", perDay: "معیار هر روز کاری", recent: "۵ روز کاری اخیر",
  created: "ساخته", won: "برد", lostDeals: "باخت", lostAmount: "مبلغ باخته", wonAmount: "مبلغ برده", lossRate: "نرخ باخت", perLost: "ساخته به باخته",
  byReason: "به تفکیک دلیل، ۳۰ روز", byStage: "به تفکیک مرحله، ۳۰ روز", none: "نامشخص", winRate: "نرخ برد",
  when: "زمان", outcome: "نتیجه", talkTime: "مدت", deal: "معامله", listen: "شنیدن", onLost: "معاملهٔ باخته",
  outcomes: { connected: "پاسخ داد", voicemail: "پیام‌گیر", voicemail_drop: "پیام صوتی", no_answer: "بی‌پاسخ", busy: "مشغول", failed: "ناموفق" },
  windows: { today: "امروز", wtd: "این هفته", "7d": "۷ روز", "30d": "۳۰ روز", "90d": "۹۰ روز", mtd: "این ماه", prev_month: "ماه پیش" },
  stages: { new: "تازه", qualified: "واجد شرایط", accepted: "پذیرفته" },
};

export const lang = document.documentElement.lang === "fa" ? "fa" : "en";
export const say = lang === "fa" ? fa : en;

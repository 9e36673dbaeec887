// The shapes the HTTP API answers with. Money is a decimal string; nothing here is a float of money.

export interface Money {
  amount: string | null;
  currency: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Tenant {
  tenant: string;
  createdAt: string;
  shards: Record<string, number>;
}

export type AsOfReason = 'now' | 'newest_change' | string;

export interface StageRow {
  stage: string;
  order: number;
  count: number;
  amount: Money;
  weighted: Money;
}

export interface ForecastRow {
  period: string;
  start: string;
  end: string;
  group: string | null;
  won: Money;
  open: number;
  pipeline: Money;
  weighted: Money;
  p10: Money;
  p50: Money;
  p90: Money;
  /** Open deals without an amount, simulated with amounts of won deals. */
  assumedAmounts?: number;
  /** Mean part of deals that do not exist yet. */
  expectedNew?: Money;
  /** Deals in other currencies than the row's, which it leaves out. */
  otherCurrencies?: { currency: string; open: number; won: Money; pipeline: Money }[];
}

export interface CalibrationBin {
  from: number;
  to: number;
  predicted: number;
  observed: number;
  n: number;
}

export interface Quality {
  basis: string;
  n: number;
  won: number;
  brier: number | null;
  baseRateBrier: number | null;
  ece: number | null;
  auc: number | null;
  calibration: CalibrationBin[];
  method: string;
  note: string;
}

export type ChangeKind = 'stage' | 'amount' | 'closeDate' | 'created' | 'won' | 'lost' | 'owner' | 'status' | 'field' | 'other';

export interface RecentChange {
  at: string;
  dealId: string;
  dealName: string;
  field: string | null;
  from: unknown;
  to: unknown;
  kind: ChangeKind;
}

export interface SystemSummary {
  status: 'ok' | 'degraded' | string;
  queued: number;
  deadLetters: number;
  lastImport: { correlationId: string; finishedAt: string; records: number } | null;
}

export interface Overview {
  tenant: string;
  asOf: string;
  asOfReason: AsOfReason;
  currency: string;
  pipeline: { open: number; amount: Money; weighted: Money; byStage: StageRow[]; otherCurrencies?: { currency: string; open: number; amount: Money }[] };
  forecast: ForecastRow | null;
  forecastPeriods: ForecastRow[];
  won: { count: number; amount: Money; winRate: number | null };
  atRisk: DealSummary[];
  changes: RecentChange[];
  quality: Quality | null;
  system: SystemSummary;
}

export interface Probability {
  value: number;
  low: number;
  high: number;
  basis: 'tenant' | 'blend' | 'prior' | string;
  n: number;
}

export type RiskLevel = 'low' | 'medium' | 'high';

export interface Risk {
  score: number;
  level: RiskLevel;
}

/** A record another one refers to; one of the two may be missing, when the source gave only the other. */
export interface Named {
  id: string | null;
  name: string | null;
}

export interface DealSummary {
  id: string;
  externalId: string;
  integration: string;
  name: string;
  account: Named | null;
  owner: Named | null;
  team: string | null;
  stage: string | null;
  stageOrder: number | null;
  status: 'open' | 'won' | 'lost';
  amount: Money;
  createdDate: string | null;
  closeDate: string | null;
  age: number | null;
  stageAge: number | null;
  lastActivity: string | null;
  probability: Probability | null;
  risk: Risk | null;
  topFactor: string | null;
  nextStep: string | null;
}

export interface Evidence {
  kind: 'change' | 'field' | 'absence' | 'cohort' | string;
  text: string;
  field?: string | null;
  from?: unknown;
  to?: unknown;
  at?: string | null;
  correlationId?: string | null;
  /** The mail, call, document … it was read in, of which type that is, and where in it. */
  type?: string | null;
  shardId?: string | null;
  locator?: Locator | null;
  /** The words there. */
  quote?: string | null;
}

export interface ProbabilityFactor {
  feature: string;
  label: string;
  value: string;
  effect: number;
  evidence: Evidence[];
}

export interface RiskFactor {
  id: string;
  label: string;
  points: number;
  detail: string;
  evidence: Evidence[];
}

export interface Recommendation {
  id: string;
  title: string;
  reason: string;
  priority: 'high' | 'medium' | 'low';
  evidence: Evidence[];
}

export interface Contact {
  id: string;
  name: string;
  title: string | null;
  email: string | null;
  role: string | null;
}

export interface Source {
  file: string | null;
  line: number | null;
  integration: string;
  correlationId: string | null;
}

export interface Deal extends Omit<DealSummary, 'probability' | 'risk'> {
  probability: (Probability & { factors: ProbabilityFactor[] }) | null;
  risk: (Risk & { factors: RiskFactor[] }) | null;
  recommendations: Recommendation[];
  contacts: Contact[];
  data: Record<string, unknown>;
  source: Source | null;
}

export interface TimelineItem {
  at: string;
  recordedAt: string;
  kind: ChangeKind;
  title: string;
  field: string | null;
  from: unknown;
  to: unknown;
  origin: string | null;
  correlationId: string | null;
}

export interface Forecast {
  asOf: string;
  asOfReason: AsOfReason;
  currency: string;
  simulations: number;
  items: ForecastRow[];
  quality: Quality | null;
}

export interface BacktestPoint {
  asOf: string;
  period: string;
  p10: Money;
  p50: Money;
  p90: Money;
  weighted: Money;
  actual: Money;
  inside: boolean;
}

export interface Backtest {
  items: BacktestPoint[];
  coverage: number | null;
  n: number;
  brier: number | null;
  baseRateBrier: number | null;
  note: string;
}

export interface ImportProblem {
  file: string | null;
  line: number | null;
  code: string;
  message: string;
}

export interface UnderstoodColumn {
  column: string;
  field: string | null;
  confidence: number;
  why: string;
}

export interface UnderstoodFile {
  file: string;
  entity: string | null;
  integration: string | null;
  records?: number | null;
  columns: UnderstoodColumn[];
}

export interface ImportJob {
  correlationId: string;
  tenant: string;
  status: 'running' | 'done' | 'failed';
  startedAt: string;
  finishedAt: string | null;
  paths: string[];
  files: { read: number; skipped: number; failed: number; total: number };
  records: { read: number; mapped: number; deadLettered: number; quarantined: number };
  shards: Record<string, { created: number; updated: number; unchanged: number }>;
  links: { attached: number; suggested: number };
  problems: ImportProblem[];
  problemCount: number;
  bytes: { read: number; total: number };
  rate: number | null;
  remaining: number | null;
  understood: UnderstoodFile[];
}

export interface Queue {
  name: string;
  ready: number;
  claimed: number;
  delayed: number;
  parked: number;
  deadLetters: number;
  quarantined?: number;
  oldestSeconds: number | null;
  consumers: number;
  ratePerSecond: number | null;
}

export interface DeadLetter {
  id: string;
  tenant: string;
  queue: string;
  type: string;
  at: string;
  deliveries: number;
  code: string;
  message: string;
  pointer: string | null;
  key: string | null;
  correlationId: string | null;
  size: number;
  state: 'dead' | 'held' | 'replayed' | 'purged';
  /** Signature of the error: letters of one cause have one. */
  cause: string;
  repeats: number;
  replayOf: string;
  outcome: '' | 'pending' | 'effect' | 'dead';
  outcomeId: string;
  /** Of the quarantine only. */
  reason?: string;
  fix?: string;
}

export interface DeadLetterDetail extends DeadLetter {
  payload: string;
  errors: { at: string; code: string; message: string }[];
}

export interface LetterGroup {
  key: string;
  count: number;
  oldest: string;
  newest: string;
  example: string;
  code: string;
  message: string;
  pattern: string;
}

export interface FieldDifference {
  field: string;
  before: string | null;
  after: string | null;
}

export interface Rehearsed {
  id: string;
  tenant: string;
  key: string;
  would: 'effect' | 'fails' | 'retries' | 'waits' | 'impossible' | 'already';
  summary: string;
  shards: { id: string; type: string; externalId: string; name: string; effect: 'created' | 'updated' | 'deleted'; fields: FieldDifference[]; moreFields: number }[];
  moreShards: number;
  events: { type: string; records: number }[];
  errors: { code: string; message: string; pointer: string; key: string }[];
  /** The letter of the same key whose effects it saw. */
  after: string | null;
}

export interface DryRun {
  dryRun: true;
  items: Rehearsed[];
  next: string | null;
  would: Partial<Record<Rehearsed['would'], number>>;
}

export interface Replayed {
  replayed: number;
  already: number;
  impossible: number;
  lastAt: string | null;
}

export interface ReplayCounts {
  replayed: number;
  effect: number;
  dead: number;
  pending: number;
  successRate: number | null;
}

export interface Missing {
  kind: string;
  id: string;
  type: string;
  integration: string;
  key: string;
  name: string;
  queue: string;
  correlationId: string;
  detail: string;
  repair: string;
}

export interface Reconciliation {
  tenant: string;
  at: string | null;
  since?: string;
  drift?: number;
  waiting?: number;
  repair?: boolean;
  republished?: number;
  refetched?: number;
  impossible?: number;
  truncated?: boolean;
  integrations?: { integration: string; published: number; mapped: number; deadLettered: number; quarantined: number; stored: number; toEvaluate: number; evaluated: number; missing: number }[];
  missing?: Missing[];
}

export interface TraceItem {
  at: string;
  stage: string;
  kind: 'event' | 'retry' | 'dead_letter' | 'shard' | 'insight' | 'ledger';
  type: string;
  id: string;
  text: string;
  count: number | null;
}

export interface LedgerRow {
  stage: string;
  in: number;
  out: number;
  effects: number;
  unchanged: number;
  dead: number;
  parked: number;
}

export interface Trace {
  correlationId: string;
  items: TraceItem[];
  ledger: LedgerRow[];
}

// What was said and written: mail, chat, calls, calendars, documents, and what they are linked to.

/** A place within a source; which of these is set depends on its kind. */
export interface Locator {
  page?: number | null;
  slide?: number | null;
  sheet?: string | null;
  segment?: number | null;
  message?: string | null;
  /** Minutes from the start of a call. */
  minute?: number | null;
}

export type LinkStatus = 'attached' | 'suggested' | 'rejected' | 'ignored';

/** Words of the source that speak for a link; offsets count code points of that field. */
export interface LinkEvidence {
  field: string;
  text: string;
  start?: number | null;
  end?: number | null;
}

export interface Link {
  id: string;
  strategy: string;
  /** 0 to 100. */
  confidence: number;
  status: LinkStatus;
  reason: string;
  evidence: LinkEvidence[];
}

export interface LinkItem extends Link {
  from: { id: string; type: string; title: string | null; at: string | null; text: string | null; people?: string[] };
  to: { id: string; type: string; name: string | null };
  createdAt: string | null;
}

export type EntryKind = 'change' | 'email' | 'message' | 'meeting' | 'event' | 'document' | 'task';

export interface Moment {
  type: string;
  text: string;
  speaker: string | null;
  locator: Locator | null;
}

export interface TimelineEntry {
  at: string;
  kind: EntryKind;
  title: string;
  text: string | null;
  people: string[];
  shardId: string | null;
  /** Of a change its kind (stage, amount, …), of anything else the type of its shard. */
  type: string | null;
  locator: Locator | null;
  link: Link | null;
  /** Still to come, by the server's clock. */
  future?: boolean;
  cancelled?: boolean;
  /** Of a call: what was said in it that bears on the deal. */
  moments?: Moment[];
  /** Of a task. */
  taskKind?: string | null;
  owner?: string | null;
  due?: string | null;
  dueText?: string | null;
  status?: string | null;
  /** Of a change: what it was, what it became. */
  field?: string | null;
  from?: unknown;
  to?: unknown;
  recordedAt?: string | null;
  origin?: string | null;
  correlationId?: string | null;
}

export interface TimelinePage {
  entries: TimelineEntry[];
  next?: string | null;
}

export interface Person {
  name: string;
  email: string | null;
  contactId: string | null;
  side: 'customer' | 'own';
  /** 0 to 100. */
  strength: number;
  lastInbound: string | null;
  lastOutbound: string | null;
  count: number;
  role: string | null;
}

export interface TextPart {
  text: string;
  mark: boolean;
}

export interface SearchHit {
  shardId: string;
  type: string;
  title: string;
  date: string | null;
  score: number;
  /** A part of the text; what was found in it, in code points. */
  snippet: string;
  highlights: { start: number; end: number }[];
  locator: Locator | null;
}

export interface SearchAnswer {
  query: string;
  mode: string;
  /** Places that match; the best of them are the items. */
  total: number;
  items: SearchHit[];
}

export interface Shard {
  tenant: string;
  type: string;
  id: string;
  externalId: string;
  integration: string;
  version: number;
  data: Record<string, unknown>;
  source: { file?: string | null; line?: number | null } | null;
  correlationId: string | null;
  createdAt: string;
  updatedAt: string;
  deletedAt: string | null;
  links?: (Link & { to: { id: string; type: string; name: string | null } })[];
  /** The other messages of its conversation, oldest first, itself included. */
  thread?: { id: string; at: string | null; from: string; title: string | null; text: string | null }[];
}

export interface Address {
  name?: string | null;
  email?: string | null;
}

export interface ActionItem {
  text: string;
  kind?: string;
  owner?: string | null;
  due?: string | null;
  dueText?: string | null;
}

export interface TaskData {
  title?: string | null;
  kind?: string;
  owner?: string | null;
  dueDate?: string | null;
  dueText?: string | null;
  status?: string | null;
  evidence?: { text?: string; segment?: number | null; start?: number | null; end?: number | null } | null;
  source?: { type: string; externalId?: string; id?: string } | null;
}

export interface MailData {
  from?: Address | null;
  to?: Address[];
  cc?: Address[];
  subject?: string | null;
  body?: string | null;
  bodyPlainText?: string | null;
  quotedText?: string | null;
  signature?: string | null;
  class?: string | null;
  classReason?: string | null;
  sentAt?: string | null;
  channel?: { id?: string; name?: string | null; type?: string } | null;
  attachments?: { name: string; mimeType?: string | null; size?: number | null; documentId?: string | null }[];
  reactions?: { name: string; count: number }[];
  actionItems?: ActionItem[];
}

export interface Segment {
  index: number;
  speaker: string | null;
  startTime: number | null;
  endTime: number | null;
  text: string;
}

export interface MeetingData {
  title?: string | null;
  startTime?: string | null;
  /** Minutes. */
  duration?: number | null;
  participants?: (Address & { isInternal?: boolean | null; talkTime?: number | null })[];
  transcript?: { segments?: Segment[] } | null;
  analysis?: { keyMoments?: { type: string; segment?: number | null; timestamp?: number | null; start?: number | null; speaker?: string | null; text: string }[]; actionItems?: ActionItem[]; nextSteps?: (string | { text: string })[] } | null;
}

export interface DocumentData {
  title?: string | null;
  documentType?: string | null;
  size?: number | null;
  extractedText?: string | null;
  pages?: { number: number; text: string; ocr?: boolean }[];
  slides?: { number: number; text: string; notes?: string | null; hidden?: boolean }[];
  sheets?: { name: string; rows: unknown[][] }[];
  date?: string | null;
  dateFrom?: string | null;
  createdBy?: string | null;
  createdAt?: string | null;
  modifiedAt?: string | null;
  modifiedBy?: string | null;
}

export interface EventData {
  title?: string | null;
  description?: string | null;
  startTime?: string | null;
  endTime?: string | null;
  allDay?: boolean;
  timeZone?: string | null;
  organizer?: Address | null;
  attendees?: (Address & { status?: string | null; role?: string | null })[];
  location?: string | null;
  recurrence?: string | null;
  status?: string | null;
  cancelled?: boolean;
}

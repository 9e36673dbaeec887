// What the made-up organisation wrote and said: mail, chat, calls, calendars and documents of each deal, and doubtful links to review.

const kHour = 3_600_000;
const kDay = 24 * kHour;
const moment = (at) => new Date(at).toISOString().replace('.000', '');
const mailOf = (name, account) => `${name.toLowerCase().replace(/[^a-z]+/g, '.')}@${account.toLowerCase().replace(/[^a-z]+/g, '')}.example`;

const kTranscript = [
  [0, 'Thank you for making the time. You have seen the offer?'],
  [1, 'We have. Let me start with the price, it is too high for this year.'],
  [0, 'Is it the total, or one part of it?'],
  [1, 'The total. We budgeted less.'],
  [0, 'We could split it into two phases. Would that help?'],
  [1, 'Perhaps. We also look at Vibranode, who are cheaper.'],
  [0, "I'll send you the security questionnaire by Friday, and a second price."],
  [1, 'Good. Then we meet again in two weeks.'],
];

export function makeSources(deals, { asOf, tenant, detail }) {
  const owner = (deal) => deal.owner?.name ?? 'Anna Snelling';
  const ownMail = (deal) => mailOf(owner(deal), 'castiel sales');

  function shard(deal, name, type, data, links = null) {
    const id = `${deal.id}-${name}`;
    const at = data.sentAt ?? data.startTime ?? data.modifiedAt;
    return {
      tenant, type, id, externalId: `ext-${id}`, integration: 'files', version: 1, data, source: { file: `${type}/${name}`, line: null }, correlationId: 'imp-2017112009-7f3a', createdAt: at, updatedAt: at, deletedAt: null,
      links: links ?? [{ id: `lnk-${id}`, strategy: 'participant', confidence: 88, status: 'attached', reason: `A contact of ${deal.name} takes part`, evidence: [], to: { id: deal.id, type: 'opportunity', name: deal.name } }],
    };
  }

  const cache = new Map();
  function of(deal) {
    if (cache.has(deal.id)) return cache.get(deal.id);
    const base = asOf - (deal.hidden.quiet + 3) * kDay;
    const [first, second] = detail(deal).contacts;
    const us = { name: owner(deal), email: ownMail(deal) };
    const them = { name: first.name, email: first.email };
    const offer = shard(deal, 'offer', 'document', {
      documentType: 'pdf', title: `Offer ${deal.name}`, size: 48_211, mimeType: 'application/pdf', createdBy: us.name, createdAt: moment(base - 2 * kDay), modifiedAt: moment(base - 2 * kDay),
      pages: [{ number: 1, text: `Offer\nFor ${deal.account.name}\n\nScope and time plan.`, ocr: false }, { number: 2, text: `Prices\n\nTotal ${deal.amount.amount ?? 'to be agreed'}\nPayment within 30 days.`, ocr: false }, { number: 3, text: 'Signed copy, scanned', ocr: true }],
    });
    const deck = shard(deal, 'deck', 'document', {
      documentType: 'pptx', title: `Kick-off ${deal.account.name}`, size: 15_800, createdBy: us.name, modifiedAt: moment(base - kDay),
      slides: [{ number: 1, text: 'Kick-off', notes: 'Welcome by the plant manager.', hidden: false }, { number: 2, text: 'Margin and risks', notes: null, hidden: true }],
    });
    const sheet = shard(deal, 'sheet', 'document', { documentType: 'xlsx', title: 'Price sheet', size: 4900, modifiedAt: moment(base - kDay), sheets: [{ name: 'Summary', rows: [['Position', 'EUR'], ['Licences', 12000], ['Total', 12000]] }] });
    const mail = shard(deal, 'mail', 'email', {
      communicationType: 'email', from: us, to: [them], cc: [{ name: second.name, email: second.email }], subject: `Offer for ${deal.account.name}`, sentAt: moment(base),
      bodyPlainText: `Dear ${first.name},\n\nplease find our offer attached.`, quotedText: null, signature: `${us.name}\nCastiel Sales`, class: 'person',
      attachments: [{ name: 'offer.pdf', mimeType: 'application/pdf', size: 48_211, documentId: offer.id }], actionItems: [],
    });
    const reply = shard(deal, 'reply', 'email', {
      communicationType: 'email', from: them, to: [us], cc: [], subject: `Re: Offer for ${deal.account.name}`, sentAt: moment(base + 20 * kHour),
      bodyPlainText: 'Thank you. The price is too high for our budget of this year.\n\nCould you send the security questionnaire by Friday?', quotedText: `On Monday, ${us.name} wrote:\n> please find our offer attached.`, signature: first.name, class: 'person', attachments: [],
      actionItems: [{ text: 'Send the security questionnaire', kind: 'request', owner: us.name, due: moment(base + 4 * kDay).slice(0, 10) }],
    });
    const thread = [mail, reply].map((one) => ({ id: one.id, at: one.data.sentAt, from: one.data.from.name, title: one.data.subject, text: one.data.bodyPlainText.slice(0, 90) }));
    mail.thread = reply.thread = thread;
    const speakers = [us.name, first.name];
    const call = shard(deal, 'call', 'meeting', {
      title: `Call with ${deal.account.name}`, startTime: moment(base + 2 * kDay), endTime: moment(base + 2 * kDay + kHour), duration: 4, participants: [{ ...us, isInternal: true }, { ...them, isInternal: false }],
      transcript: { segments: kTranscript.map(([who, text], index) => ({ index, speaker: speakers[who], startTime: 4 + index * 30, endTime: 4 + index * 30 + 4 + text.length / 6, text })) },
      analysis: { keyMoments: [{ type: 'objection', segment: 1, timestamp: 34, speaker: first.name, text: kTranscript[1][1] }, { type: 'competitor', segment: 5, timestamp: 154, speaker: first.name, text: kTranscript[5][1] }, { type: 'commitment', segment: 6, timestamp: 184, speaker: us.name, text: kTranscript[6][1] }], actionItems: [{ text: 'Send the security questionnaire', kind: 'commitment', owner: us.name, dueText: 'by Friday' }], nextSteps: ['Meet again in two weeks'] },
    });
    const chat = shard(deal, 'chat', 'message', { communicationType: 'slack_message', from: us, bodyPlainText: `${first.name} says the price is too high. @Zane can we do two phases?`, channel: { id: 'C1', name: `deal-${deal.account.name.toLowerCase().replace(/[^a-z]+/g, '-')}`, type: 'channel' }, reactions: [{ name: '+1', count: 2 }], sentAt: moment(base + 2 * kDay + 2 * kHour), actionItems: [] });
    chat.thread = [{ id: chat.id, at: chat.data.sentAt, from: us.name, title: null, text: chat.data.bodyPlainText }, { id: `${deal.id}-chat2`, at: moment(base + 2 * kDay + 3 * kHour), from: 'Zane Levy', title: null, text: 'Two phases are fine.' }];
    const event = shard(deal, 'event', 'event', {
      uid: `evt-${deal.id}`, title: `Second meeting ${deal.account.name}`, description: 'Two phases, new price.', startTime: moment(base + 16 * kDay), endTime: moment(base + 16 * kDay + kHour), allDay: false, timeZone: 'Europe/Berlin', organizer: us, location: 'Online', recurrence: null, status: 'confirmed',
      attendees: [{ ...them, status: 'accepted', role: 'required' }, { name: second.name, email: second.email, status: 'needs-action', role: 'optional' }],
    });
    const shards = [offer, deck, sheet, mail, reply, call, chat, event];
    const entry = (one, title, text, people, extra = {}) => ({ at: one.data.sentAt ?? one.data.startTime ?? one.data.modifiedAt, kind: one.type, title, text, people, shardId: one.id, type: one.type, locator: null, link: (({ to, ...link }) => link)(one.links[0]), future: Date.parse(one.data.sentAt ?? one.data.startTime ?? one.data.modifiedAt) > Date.now(), ...extra });
    const entries = [
      entry(offer, offer.data.title, 'Scope and time plan.', [us.name], { locator: { page: 2 } }),
      entry(deck, deck.data.title, 'Kick-off', [us.name]), entry(sheet, 'Price sheet', 'Total 12000', []),
      entry(mail, mail.data.subject, mail.data.bodyPlainText, [us.name, first.name]), entry(reply, reply.data.subject, reply.data.bodyPlainText, [first.name, us.name]),
      entry(call, call.data.title, kTranscript[5][1], speakers, { locator: { minute: 154 / 60, segment: 5 } }),
      entry(chat, `#${chat.data.channel.name}`, chat.data.bodyPlainText, [us.name], { link: { ...chat.links[0], to: undefined, status: 'suggested', confidence: 72, strategy: 'content', reason: 'Names the account' } }),
      entry(event, event.data.title, null, [first.name, second.name]),
      { at: call.data.startTime, kind: 'task', title: 'Send the security questionnaire', text: `due ${moment(base + 4 * kDay).slice(0, 10)}, still open`, people: [us.name], shardId: call.id, type: 'task', locator: { minute: 184 / 60, segment: 6 }, link: null },
    ];
    const people = [
      { name: first.name, email: first.email, contactId: first.id, side: 'customer', strength: 78, lastInbound: reply.data.sentAt, lastOutbound: mail.data.sentAt, count: 14, role: 'champion' },
      { name: 'Noor Haddad', email: mailOf('Noor Haddad', deal.account.name), contactId: null, side: 'customer', strength: 12, lastInbound: moment(base), lastOutbound: null, count: 1, role: null },
      { name: us.name, email: us.email, contactId: null, side: 'own', strength: 90, lastInbound: null, lastOutbound: null, count: 21, role: null },
    ];
    const made = { shards, entries, people };
    cache.set(deal.id, made);
    return made;
  }

  const find = (id) => {
    const deal = deals.find((one) => id.startsWith(`${one.id}-`));
    return deal && of(deal).shards.find((one) => one.id === id);
  };

  const doubtful = deals.filter((deal) => deal.status === 'open').slice(0, 5);
  const links = doubtful.map((deal, index) => {
    const source = of(index === 1 ? doubtful[0] : deal).shards.find((one) => one.id.endsWith('-reply'));
    const start = source.data.bodyPlainText.indexOf('budget');
    return {
      id: `link-${index + 1}`, strategy: index % 2 ? 'participant' : 'content', confidence: 62 + index * 4, status: 'suggested', reason: `${source.data.from.name} is a contact of ${deal.account.name}, which has several open deals`,
      evidence: [{ field: 'body', text: 'budget', start, end: start + 6 }, { field: 'subject', text: source.data.subject.slice(4), start: 4, end: Array.from(source.data.subject).length }],
      from: { id: source.id, type: 'email', title: source.data.subject, at: source.data.sentAt, text: source.data.bodyPlainText, people: [source.data.from.name] }, to: { id: deal.id, type: 'opportunity', name: deal.name }, createdAt: moment(asOf),
    };
  });

  function decide(link, what, body) {
    if (what === 'approve') link.status = 'attached';
    else if (what === 'reject') link.status = 'rejected';
    else if (what === 'retarget') {
      const deal = deals.find((one) => one.id === body?.target);
      if (!deal) return null;
      Object.assign(link, { status: 'attached', strategy: 'user', to: { id: deal.id, type: 'opportunity', name: deal.name } });
    } else return null;
    return link;
  }

  function search(q, limit) {
    const hits = [];
    for (const deal of deals.slice(0, 20)) {
      for (const one of of(deal).shards) {
        const places = one.data.transcript?.segments.map((segment) => [segment.text, { segment: segment.index, minute: segment.startTime / 60 }]) ?? one.data.pages?.map((page) => [page.text, { page: page.number }]) ?? [[one.data.bodyPlainText ?? one.data.title, null]];
        for (const [text, locator] of places) {
          const at = text.toLowerCase().indexOf(q.toLowerCase());
          if (at < 0) continue;
          hits.push({ shardId: one.id, type: one.type, title: one.data.title ?? one.data.subject ?? `#${one.data.channel.name}`, date: one.data.sentAt ?? one.data.startTime ?? one.data.modifiedAt, snippet: text, highlights: [{ start: at, end: at + q.length }], locator, score: 1 / (1 + hits.length) });
        }
      }
    }
    return { query: q, mode: 'keyword', total: hits.length, items: hits.slice(0, limit) };
  }

  return { of, find, links, decide, search };
}

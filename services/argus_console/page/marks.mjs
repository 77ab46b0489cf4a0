// Where the marks of plans stand below the chart: those that would cover one another become one.

const LETTER = 7; // pixels, of the digits on a mark
const LEAST = 26; // pixels that a mark is wide
const PAD = 14;
const GAP = 3; // pixels between two

const said = (plans) => (plans.length > 1 ? `${plans[0].id}–${plans.at(-1).id}` : `${plans[0].id}`);
const wide = (mark) => Math.max(LEAST, PAD + LETTER * mark.label.length);
const covers = (one, other) => other.x - one.x < (wide(one) + wide(other)) / 2 + GAP;

// Plans by time, each with an x in pixels, as marks {x, label, plans} of which none covers another.
export function bunched(plans) {
  const marks = [];
  for (const plan of plans) {
    let mark = { x: plan.x, label: said([plan]), plans: [plan] };
    while (marks.length && covers(marks.at(-1), mark)) {
      const together = [...marks.pop().plans, ...mark.plans];
      mark = { x: (together[0].x + together.at(-1).x) / 2, label: said(together), plans: together };
    }
    marks.push(mark);
  }
  return marks;
}

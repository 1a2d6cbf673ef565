/** What is said of a campaign while it runs. */
import type { CampaignEvent } from "../refinement/campaign/events.js";
import { unreachable } from "../refinement/errors.js";
import type { ObligationReport } from "../refinement/campaign/report.js";
import type { VerdictName } from "../refinement/verdict.js";
import { problems } from "./report.js";
import type { Output } from "./terminal/output.js";

/** Shows how far the run is, and what is not well as soon as it is known. */
export function follow(out: Output): (event: CampaignEvent) => void {
  let [done, total] = [0, 0];
  const verdicts = new Map<VerdictName, number>();
  // What the task that is about to end has settled.
  const settled: ObligationReport[] = [];
  // What is running, oldest first, with how far it is.
  const running = new Map<string, { readonly label: string; readonly part: number }>();
  const show = () => {
    const parts = [...running.values()].reduce((sum, { part }) => sum + part, 0);
    const [oldest] = running.values();
    const found = [...verdicts].map(([name, n]) => `${n} ${name}`).join(", ");
    out.progress.update({ done: Math.min(total, done + parts), total, found, running: oldest?.label ?? "" });
  };
  return (event) => {
    switch (event.kind) {
      case "planned":
        [done, total] = [event.done, event.total];
        return show();
      case "started": {
        const { refinement, task, method } = event;
        running.set(`${refinement} ${task} ${method}`, { label: `${refinement} ${task} (${method})`, part: 0 });
        return show();
      }
      case "progress": {
        const { refinement, task, method, part, of } = event;
        const label = `${refinement} ${task} (${method} ${part}/${of})`;
        running.set(`${refinement} ${task} ${method}`, { label, part: of === 0 ? 0 : part / of });
        return show();
      }
      case "settled": {
        const { verdict } = event.obligation;
        [done, total] = [event.done, event.total];
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
        settled.push(event.obligation);
        return show();
      }
      case "ended":
        [done, total] = [event.done, event.total];
        for (const line of problems(settled.splice(0), out.noteColors, event.refinement)) out.note(line);
        running.delete(`${event.refinement} ${event.task} ${event.method}`);
        return show();
      case "skipped":
        return show();
      case "warning":
        return out.note(`${out.noteColors.yellow("warning")}: ${event.message}`);
      default:
        return unreachable(event);
    }
  };
}

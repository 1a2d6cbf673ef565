import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCampaign } from "../../../refinement/campaign/campaign.js";
import { type Crew, Workers } from "../../../refinement/campaign/crew.js";
import type { Request } from "../../../refinement/campaign/executor.js";
import { defaultOptions } from "../../../refinement/campaign/options.js";
import { counter } from "../diagram/counter.js";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "commute-crew-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A worker that does what the obligation's name tells it to. */
async function workers(size: number): Promise<Crew> {
  const file = path.join(directory, "worker.mjs");
  await writeFile(
    file,
    `import { existsSync, writeFileSync } from "node:fs";
     export default async function ({ request, port }) {
       const { obligation } = request.task;
       const answer = { kind: "settled", settled: [{ obligation, method: "prove", verdict: { verdict: "proved", by: "rewrite" }, more: [], ms: 1 }] };
       if (obligation === "initial") process.exit(3);
       if (obligation === "inverse") for (;;);
       if (obligation === "invariant/commit") {
         const file = ${JSON.stringify(directory)} + "/died-once";
         if (!existsSync(file)) { writeFileSync(file, ""); process.exit(3); }
       }
       if (obligation === "invariant/prepare") return { kind: "failed", by: "defect", reason: "a bug" };
       port.postMessage([1, 2]);
       if (obligation === "materialize/later") { port.postMessage(answer.settled[0]); await new Promise(() => setInterval(() => {}, 1000)); }
       return answer;
     }`,
  );
  return new Workers(size, pathToFileURL(file));
}

function request(obligation: string): Request {
  const { seed, cases, timeoutMs, memoryMb, solver, smt2Dir, date, testers } = defaultOptions();
  const settings = { seed, cases, timeoutMs, memoryMb, solver, smt2Dir, date, testers };
  return { file: "x.yaml", fault: undefined, task: { kind: "prove", obligation }, settings };
}

const never = new AbortController().signal;

describe("worker threads", () => {
  it("answer, and tell how far they are", async () => {
    const crew = await workers(1);
    try {
      const heard: number[] = [];
      const reply = await crew.run(request("commute/prepare"), never, (done, total) => heard.push(done, total));
      expect(reply).toMatchObject({ kind: "settled", settled: [{ obligation: "commute/prepare" }] });
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(heard).toEqual([1, 2]);
    } finally {
      await crew.close();
    }
  });

  it("that die or hang fail their own task only", async () => {
    const crew = await workers(2);
    try {
      const hung = AbortSignal.timeout(500);
      const [dead, hanging, fine] = await Promise.allSettled([
        crew.run(request("initial"), never, () => undefined),
        crew.run(request("inverse"), hung, () => undefined),
        crew.run(request("commute/prepare"), never, () => undefined),
      ]);
      expect([dead?.status, hanging?.status, fine?.status]).toEqual(["rejected", "rejected", "fulfilled"]);
      expect(await crew.run(request("commute/commit"), never, () => undefined)).toMatchObject({ kind: "settled" });
    } finally {
      await crew.close();
    }
  });

  it("that are ended have told what they found", async () => {
    const crew = await workers(1);
    try {
      const stop = new AbortController();
      const found: string[] = [];
      const ended = crew.run(
        request("materialize/later"),
        stop.signal,
        () => undefined,
        (settled) => {
          found.push(settled.obligation);
          stop.abort();
        },
      );
      await expect(ended).rejects.toThrow();
      expect(found).toEqual(["materialize/later"]);
    } finally {
      await crew.close();
    }
  });

  it("leave a campaign with a verdict for everything", async () => {
    const { report } = await runCampaign(["counter.yaml"], {
      ...defaultOptions(),
      only: ["initial", "invariant/*", "commute/*"],
      load: async () => counter(),
      crew: await workers(2),
    });
    const verdicts = Object.fromEntries(
      report.refinements.flatMap((r) => r.obligations.map((o) => [o.name, `${o.verdict} ${o.by}`])),
    );
    expect(verdicts).toEqual({
      initial: "unknown worker",
      "invariant/prepare": "unknown defect",
      "invariant/commit": "proved rewrite",
      "commute/prepare": "proved rewrite",
      "commute/commit/tick": "proved rewrite",
      "commute/commit/enabled": "proved rewrite",
    });
  });
});

/** Checks this module against a conformance kit. In: the kit's bytes. Out: a verdict for each case. */

import { Body } from "../coevoer/body.js";
import type { Manifest } from "../coevoer/manifest.js";
import { CoEvoerError } from "../coevoer/errors.js";
import { readSafetensors, type Safetensors, type Tensor } from "../coevoer/safetensors.js";
import { answer, type Tensors } from "./answers.js";

export interface Verdict {
  readonly case: string; // such as decode.3
  readonly about: string;
  readonly worst: number; // largest error over all expected tensors, as a share of its tolerance
  readonly fault: string; // empty when the case passed
}

const FORMAT = "coevoer-edge conformance kit 1";

/** Checks every case with the kit's own pipeline constants, which may differ from the manifest's. */
export async function checkKit(kit: Safetensors, manifest: Manifest, body: Body): Promise<Verdict[]> {
  const read = (key: string): unknown => JSON.parse(kit.metadata[key] ?? "null");
  if (kit.metadata["format"] !== FORMAT) {
    const format = `The kit has format ${kit.metadata["format"]}; this module reads ${FORMAT}.`;
    throw new CoEvoerError("bundle", `${format} Export the bundle again.`);
  }
  const tolerances = read("tolerances") as Record<string, readonly [number, number]>;
  const own = { ...manifest, pipeline: { ...manifest.pipeline, ...(read("pipeline") as object) } };
  const verdicts: Verdict[] = [];
  for (const [name, about] of Object.entries(read("cases") as Record<string, string>)) {
    const tensors = new Map(
      [...kit.tensors].filter(([key]) => key.startsWith(`${name}.`)).map(([key, value]) => [key.slice(name.length + 1), value]),
    );
    verdicts.push({ case: name, about, ...(await judge(name.split(".")[0]!, tensors, own, body, tolerances)) });
  }
  return verdicts;
}

async function judge(
  kind: string,
  tensors: Tensors,
  manifest: Manifest,
  body: Body,
  tolerances: Record<string, readonly [number, number]>,
): Promise<{ worst: number; fault: string }> {
  let answers;
  try {
    answers = await answer(kind, tensors, manifest, body);
  } catch (error) {
    if (kind === "refuse" && error instanceof CoEvoerError) return { worst: 0, fault: "" };
    throw error;
  }
  if (kind === "refuse") return { worst: Infinity, fault: "It was not refused." };
  const expected = [...tensors].filter(([name]) => name in tolerances && name in answers);
  if (expected.length !== Object.keys(answers).length) {
    const [wanted, given] = [expected.map(([name]) => name), Object.keys(answers)];
    return { worst: Infinity, fault: `The kit expects [${wanted}]; the module answered [${given}].` };
  }
  let [worst, fault] = [0, ""];
  for (const [name, tensor] of expected) {
    const share = compare(answers[name]!, tensor, tolerances[name]!);
    if (share.worst > worst) worst = share.worst;
    if (!(share.worst <= 1)) fault ||= `${name}: ${share.where}.`;
  }
  return { worst, fault };
}

function compare(
  given: readonly number[],
  { data }: Tensor,
  [absolute, relative]: readonly [number, number],
): { worst: number; where: string } {
  if (given.length !== data.length) return { worst: Infinity, where: `${given.length} values, expected ${data.length}` };
  let [worst, where] = [0, ""];
  given.forEach((value, i) => {
    const truth = Number(data[i]);
    const error = Math.abs(value - truth);
    const share = error === 0 ? 0 : error / (absolute + relative * Math.abs(truth));
    if (!(share <= worst)) [worst, where] = [share, `[${i}] is ${value}, expected ${truth}`];
  });
  return { worst, where };
}

/** Opens the kit and the body. */
export function openKit(kitBytes: Uint8Array, bodyBytes: Uint8Array, manifest: Manifest): [Safetensors, Body] {
  const kit = readSafetensors(kitBytes, manifest.pipeline.conformance);
  return [kit, new Body(readSafetensors(bodyBytes, manifest.body_model.file), manifest)];
}

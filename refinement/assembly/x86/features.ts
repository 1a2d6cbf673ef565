/** What a processor must have for an instruction. */
import { CpuidFeature, Decoder, DecoderOptions } from "iced-x86";
import type { DecodedInstruction } from "../../decoded.js";

/** As /proc/cpuinfo calls them (Linux, arch/x86/include/asm/cpufeatures.h); what is absent here, every x86-64 processor has. */
const NAMES: ReadonlyMap<CpuidFeature, string> = new Map([
  [CpuidFeature.ADX, "adx"],
  [CpuidFeature.BMI1, "bmi1"],
  [CpuidFeature.BMI2, "bmi2"],
  [CpuidFeature.CMPXCHG16B, "cx16"],
  [CpuidFeature.LZCNT, "abm"],
  [CpuidFeature.MOVBE, "movbe"],
  [CpuidFeature.POPCNT, "popcnt"],
  [CpuidFeature.PREFETCHW, "3dnowprefetch"],
  [CpuidFeature.SSE4_2, "sse4_2"],
  [CpuidFeature.RDRAND, "rdrand"],
  [CpuidFeature.RDSEED, "rdseed"],
  [CpuidFeature.RDTSCP, "rdtscp"],
  [CpuidFeature.FSGSBASE, "fsgsbase"],
]);

export function featuresOf({ bytes }: DecodedInstruction): readonly string[] {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  const found = Array.from(instruction.cpuidFeatures(), (f) => featureName(f)).filter((f) => f !== undefined);
  instruction.free();
  decoder.free();
  return found;
}

function featureName(feature: number): string | undefined {
  for (const [known, name] of NAMES) if (known === feature) return name;
  return undefined;
}

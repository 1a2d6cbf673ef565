/** Where an instruction's numbers stand in its bytes. */
import { Decoder, DecoderOptions } from "iced-x86";

export interface NumberPlace {
  readonly kind: "displacement" | "immediate";
  readonly offset: number;
  /** In bytes. */
  readonly size: number;
}

export function numberPlaces(bytes: Uint8Array): readonly NumberPlace[] {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  const at = decoder.getConstantOffsets(instruction);
  const found: NumberPlace[] = [];
  if (at.hasDisplacement)
    found.push({ kind: "displacement", offset: at.displacementOffset, size: at.displacementSize });
  if (at.hasImmediate) found.push({ kind: "immediate", offset: at.immediateOffset, size: at.immediateSize });
  if (at.hasImmediate2) found.push({ kind: "immediate", offset: at.immediateOffset2, size: at.immediateSize2 });
  at.free();
  instruction.free();
  decoder.free();
  return found;
}

/** SHA-256 of several texts, in hexadecimal; the lengths keep their borders apart. */
export async function digest(texts: readonly string[]): Promise<string> {
  const joined = texts.map((t) => `${t.length}:${t}`).join("");
  const hash = await globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(joined));
  return [...new Uint8Array(hash)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

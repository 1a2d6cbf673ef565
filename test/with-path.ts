/** Runs `body` where programs are looked for in `folder` alone. */
export async function withPath<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const saved = process.env.PATH;
  process.env.PATH = folder;
  try {
    return await body();
  } finally {
    if (saved === undefined) delete process.env.PATH;
    else process.env.PATH = saved;
  }
}

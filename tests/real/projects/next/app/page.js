import { readFile } from "node:fs/promises";
import path from "node:path";

export const dynamic = "force-dynamic";

export default async function Page() {
  const identity = await readFile(path.join(process.cwd(), "identity.txt"), "utf8");
  return <main>Welcome, {identity}</main>;
}

/**
 * Reads a bundle from a server: files are fetched with progress, and each is checked against SHA256SUMS before it is
 * used. In: the URL of the folder. Out: `BundleReader`, whose manifest has been checked.
 */

import { download, type OnBytes } from "./download.js";
import { CoEvoerError } from "./errors.js";
import { parseManifest, type Manifest } from "./manifest.js";

const SUMS = "SHA256SUMS";
const MANIFEST = "manifest.json";
export const GOLDEN = "golden.npz";

const SERVE_IT =
  "Serve a complete, unchanged bundle folder there; `python -m coevoer_edge.export --target onnx` writes one.";

export class BundleReader {
  private constructor(
    private readonly base: URL,
    private readonly sums: ReadonlyMap<string, string>,
    private readonly onBytes: OnBytes,
    readonly manifest: Manifest,
  ) {}

  /**
   * Opens the bundle folder at `base`.
   *
   * Raises `CoEvoerError`: "missing", "network", "digest", "bundle" (another schema or contract), "platform".
   */
  static async open(base: URL, onBytes: OnBytes): Promise<BundleReader> {
    const list = new TextDecoder().decode(await download(new URL(SUMS, base), SUMS, SERVE_IT, onBytes, "no-cache"));
    const sums = new Map<string, string>();
    for (const line of list.split("\n").filter((line) => line.trim())) {
      const [, digest, file] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line.trimEnd()) ?? [];
      if (!digest || !file) {
        throw new CoEvoerError("bundle", `${new URL(SUMS, base).href} is not a list of digests. ${SERVE_IT}`);
      }
      sums.set(file, digest);
    }
    const text = new TextDecoder().decode(await checked(base, sums, MANIFEST, onBytes));
    return new BundleReader(base, sums, onBytes, parseManifest(text, MANIFEST));
  }

  /** The bytes of one file, as SHA256SUMS lists it. */
  read(file: string): Promise<Uint8Array> {
    return checked(this.base, this.sums, file, this.onBytes);
  }
}

async function checked(base: URL, sums: ReadonlyMap<string, string>, file: string, onBytes: OnBytes): Promise<Uint8Array> {
  const expected = sums.get(file);
  if (!expected) throw new CoEvoerError("bundle", `${SUMS} does not list ${file}. ${SERVE_IT}`);
  const url = new URL(file, base);
  url.searchParams.set("sha256", expected.slice(0, 16)); // other content has another address: caches cannot mix them
  const bytes = await download(url, file, SERVE_IT, onBytes, "default");
  if (!globalThis.crypto?.subtle) {
    throw new CoEvoerError(
      "platform",
      "Without crypto.subtle, digests cannot be checked; serve the page over https or localhost.",
    );
  }
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  const found = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== expected) {
    const both = `SHA-256 ${found.slice(0, 12)}… instead of ${expected.slice(0, 12)}…`;
    throw new CoEvoerError("digest", `${file} is not the file that ${SUMS} lists (${both}). ${SERVE_IT}`);
  }
  return bytes;
}

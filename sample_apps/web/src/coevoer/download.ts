/** Downloads one file from a server with progress, and raises an error when the download stalls. */

import { CoEvoerError, messageOf } from "./errors.js";

const STALLED_MS = 20_000; // a download without a byte for this long has stalled

/** Called as a file arrives; `total` is 0 if the server does not report the size. */
export type OnBytes = (file: string, loaded: number, total: number) => void;

/**
 * The bytes of a file. `advice` ends the message if the file is missing. Raises `CoEvoerError` ("missing", "network").
 */
export async function download(
  url: URL,
  file: string,
  advice: string,
  onBytes: OnBytes,
  cache: RequestCache,
): Promise<Uint8Array> {
  const stop = new AbortController();
  let watch: ReturnType<typeof setTimeout> | undefined;
  const alive = (): void => {
    clearTimeout(watch);
    watch = setTimeout(() => stop.abort(new Error(`no data for ${STALLED_MS / 1000} s`)), STALLED_MS);
  };
  try {
    alive();
    const response = await fetch(url, { cache, signal: stop.signal });
    if (!response.ok || !response.body) {
      const code = response.status === 404 ? "missing" : "network";
      throw new CoEvoerError(code, `There is no ${file} at ${url.origin}${url.pathname} (HTTP ${response.status}). ${advice}`);
    }
    const encoded = response.headers.has("content-encoding"); // then content-length is not the size of the content
    const total = encoded ? 0 : Number(response.headers.get("content-length") ?? 0);
    const chunks: Uint8Array[] = [];
    let loaded = 0;
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      alive();
      chunks.push(part.value);
      loaded += part.value.byteLength;
      onBytes(file, loaded, total);
    }
    const bytes = new Uint8Array(loaded);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  } catch (error) {
    if (error instanceof CoEvoerError) throw error;
    throw new CoEvoerError(
      "network",
      `${file} could not be fetched from ${url.origin}${url.pathname} (${messageOf(error)}). Check the connection and try again.`,
    );
  } finally {
    clearTimeout(watch);
  }
}

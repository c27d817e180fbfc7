/** The worker: takes requests from the page one after the other, so that the page never waits for the network. */

import { CanvasReader } from "./canvas.js";
import { Engine } from "./engine.js";
import { CoEvoerError, messageOf } from "./errors.js";
import type { Answers, Envelope, Reply, Request } from "./messages.js";

interface Port {
  postMessage(message: Reply, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<Envelope>) => void) | null;
}

const port = globalThis as unknown as Port;
let engine: Engine | null = null;
let last: Promise<void> = Promise.resolve();
let reader = new CanvasReader(0);

port.onmessage = ({ data: { id, request } }) => {
  last = last.then(async () => {
    try {
      const answer = await serve(request);
      port.postMessage({ id, answer }, transferable(answer));
    } catch (error) {
      const code = error instanceof CoEvoerError ? error.code : "runtime";
      port.postMessage({ id, error: { code, message: messageOf(error) } }, []);
    } finally {
      if ("frame" in request) request.frame.close();
    }
  });
};

async function serve(request: Request): Promise<Answers[keyof Answers]> {
  if (request.kind === "create") {
    engine = await Engine.create(request.options, (progress) => port.postMessage({ progress }, []));
    reader = new CanvasReader(engine.info.manifest.input.crop.transparent_over);
    return engine.info;
  }
  if (!engine) throw new CoEvoerError("closed", "The estimator is not open; create another one.");
  switch (request.kind) {
    case "image":
      return engine.pipeline.detect(reader.frame(request.frame));
    case "video":
      return engine.pipeline.detectForVideo(reader.frame(request.frame), request.timestampMs);
    case "reset":
      engine.pipeline.resetStream();
      return null;
    case "close":
      await engine.runtime.release();
      engine = null;
      return null;
  }
}

/** The large array of a result, which is transferred without a copy. */
function transferable(answer: Answers[keyof Answers]): Transferable[] {
  const vertices = answer && "person" in answer ? answer.person?.vertices : null;
  return vertices ? [vertices.buffer as ArrayBuffer] : [];
}

// @ts-check
/**
 * A client of Headrace for a page: uploads that survive a dropped connection, and the jobs that come of them.
 *
 *     import { connect, Jobs, Upload, UploadQueue } from "headrace";
 *
 *     const connection = connect({ url: "wss://files.example.org/ws" });
 *     const jobs = new Jobs(connection);
 *     const queue = new UploadQueue(3);
 *
 *     const upload = new Upload(connection, input.files[0], { processor: "word-count", params: { top: 5 } });
 *     upload.on("change", () => console.log(upload.state, upload.offset, "of", upload.file.size));
 *     upload.on("stored", () => upload.job && jobs.follow(upload.job, { token: upload.token, subscribed: true }));
 *     jobs.on("change", (job) => console.log(job.state, job.progress, job.partial, job.result));
 *     queue.add(upload);
 */
export { connect, Connection } from "./connection.js";
export { crc32, pack, parse } from "./frames.js";
export { applyEvent, applyState, isFinal, newJob } from "./job.js";
export { HeadraceError, Jobs } from "./jobs.js";
export { read } from "./messages.js";
export { UploadQueue } from "./queue.js";
export { Upload } from "./upload.js";
export { SendWindow } from "./window.js";

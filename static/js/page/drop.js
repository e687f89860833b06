// @ts-check
/**
 * The whole page is the drop target; folders are read too, and pasted pictures taken.
 *
 * @param {(files: File[]) => void} take
 */
export function dropAnywhere(take) {
  let depth = 0;
  const mark = (/** @type {boolean} */ on) => document.body.classList.toggle("dragging", on);
  const withFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!withFiles(event)) return;
    depth += 1;
    mark(true);
  });
  addEventListener("dragleave", (event) => {
    if (withFiles(event)) depth = Math.max(0, depth - 1);
    if (depth === 0) mark(false);
  });
  addEventListener("dragover", (event) => {
    if (!withFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("drop", async (event) => {
    if (!withFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    depth = 0;
    mark(false);
    take(await dropped(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) take(files);
  });
}

/**
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
async function dropped(transfer) {
  // The items are gone after the first await, so take all entries at once.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return [...transfer.files];
  const files = [...transfer.files];
  const found = await Promise.all(entries.map((entry, at) => (entry?.isDirectory ? inFolder(entry) : [files[at]])));
  return found.flat().filter(Boolean);
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function inFolder(entry) {
  if (entry.isFile) {
    const file = new Promise((resolve) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null)));
    return [/** @type {File} */ (await file)].filter(Boolean);
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const all = [];
  // A reader gives at most a hundred at a time, and none at the end.
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) break;
    all.push(...some);
  }
  return (await Promise.all(all.map(inFolder))).flat();
}

// @ts-check
/**
 * Data frames (docs/protocol.md, section 3): u32 ref | u64 offset | [u32 crc32 of the payload] | payload, big-endian.
 */

export const MAX_REF = 2 ** 32 - 2;

/** @returns {Uint32Array} the table of the reflected polynomial 0xEDB88320, as zlib and PNG use it */
function crcTable() {
  return Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c;
  });
}

/** @type {Uint32Array | undefined} */
let table;

/**
 * @param {Uint8Array} bytes
 * @returns {number} 0..2^32-1
 */
export function crc32(bytes) {
  table ??= crcTable();
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i += 1) c = table[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/**
 * @param {number} ref 0..2^32-2
 * @param {number} offset of the payload's first byte in the file
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} payload at least one byte
 * @param {boolean} [checksum] put the payload's crc32 in, where the upload was opened so
 * @returns {ArrayBuffer}
 * @throws {RangeError} for a ref or an offset that does not fit, or an empty payload
 */
export function pack(ref, offset, payload, checksum = false) {
  const bytes = payload instanceof Uint8Array ? payload : new Uint8Array(payload);
  if (!Number.isInteger(ref) || ref < 0 || ref > MAX_REF) throw new RangeError(`ref ${ref} is not 0..2^32-2`);
  if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`offset ${offset} is not 0..2^53-1`);
  if (bytes.length === 0) throw new RangeError("a payload has at least one byte");
  const header = checksum ? 16 : 12;
  const frame = new Uint8Array(header + bytes.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, ref);
  view.setUint32(4, Math.floor(offset / 2 ** 32));
  view.setUint32(8, offset >>> 0);
  if (checksum) view.setUint32(12, crc32(bytes));
  frame.set(bytes, header);
  return frame.buffer;
}

/**
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} frame
 * @param {boolean} [checksum] whether this upload's frames carry one
 * @returns {{ref: number, offset: number, crc32: number | null, payload: Uint8Array}}
 * @throws {RangeError} for a frame that is too short, a ref or an offset out of range, or an empty payload
 */
export function parse(frame, checksum = false) {
  const bytes = frame instanceof Uint8Array ? frame : new Uint8Array(frame);
  const header = checksum ? 16 : 12;
  if (bytes.length <= header) throw new RangeError(`a frame is longer than its header of ${header} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ref = view.getUint32(0);
  const offset = view.getUint32(4) * 2 ** 32 + view.getUint32(8);
  if (ref > MAX_REF) throw new RangeError(`ref ${ref} is not 0..2^32-2`);
  if (!Number.isSafeInteger(offset)) throw new RangeError(`offset ${offset} is not 0..2^53-1`);
  return { ref, offset, crc32: checksum ? view.getUint32(12) : null, payload: bytes.subarray(header) };
}

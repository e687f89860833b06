// @ts-check
/**
 * What may be sent now (docs/protocol.md, section 4). Pure arithmetic, in bytes.
 *
 * The edge is the highest `offset + window` announced since `opened`; a frame may end at it, never past it.
 */
export class SendWindow {
  /** @param {number} size of the file */
  constructor(size) {
    this.size = size;
    /** The next byte to send. */
    this.sent = 0;
    /** Every byte below is stored on the server. */
    this.acked = 0;
    this.edge = 0;
  }

  /**
   * The server opened or resumed the upload.
   *
   * @param {number} offset
   * @param {number} window
   */
  opened(offset, window) {
    this.sent = this.acked = offset;
    this.edge = offset + window;
  }

  /**
   * @param {number} offset
   * @param {number} window
   */
  ack(offset, window) {
    this.acked = Math.max(this.acked, offset);
    this.sent = Math.max(this.sent, this.acked);
    this.edge = Math.max(this.edge, offset + window);
  }

  /**
   * The server wants to go on from here (bad_offset, checksum, size_mismatch).
   *
   * @param {number} expected
   */
  rewind(expected) {
    this.sent = expected;
  }

  /** True once every byte has been handed to the socket. */
  get done() {
    return this.sent >= this.size;
  }

  /**
   * @param {number} chunk the size a frame should have
   * @returns {number} the bytes of the next frame; 0 means wait. A short frame is sent only where nothing is on its way:
   *   a small window must not stop the upload, and a large one must not fill with crumbs.
   */
  next(chunk) {
    const wanted = Math.min(chunk, this.size - this.sent);
    const room = this.edge - this.sent;
    if (room >= wanted) return Math.max(0, wanted);
    return this.sent <= this.acked && room > 0 ? room : 0;
  }
}

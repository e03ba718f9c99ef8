// A zip archive of blobs, stored as they are: pictures do not get smaller.

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const UTF8 = 0x0800;

/** A time of day and a day as the format has them: to two seconds, of this time zone. */
export function dosTime(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [time, day];
}

/** Two- and four-byte numbers, little-endian: [[size, value], ...]. */
function packed(fields) {
  const bytes = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) bytes.setUint16(at, value, true);
    else bytes.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}

/** Names that are taken get a number. */
export function uniqueNames(names) {
  const taken = new Set();
  return names.map((given) => {
    const name = given.replace(/[\\/:*?"<>|\u0000-\u001f\u007f]/g, "_"); // paths, to some programs
    const dot = name.lastIndexOf(".");
    let unique = name;
    for (let count = 2; taken.has(unique.toLowerCase()); count += 1) {
      unique = `${name.slice(0, dot)}-${count}${name.slice(dot)}`;
    }
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/** Files [{name, blob}] as one Blob. The format has room for 65535 files and 4 GB. */
export async function zip(files) {
  const parts = [];
  const directory = [];
  const [time, day] = dosTime(new Date());
  let offset = 0;
  let size = 0;
  for (const { name, blob } of files) {
    const encoded = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    const about = [[2, 20], [2, UTF8], [2, 0], [2, time], [2, day], [4, crc],
      [4, blob.size], [4, blob.size], [2, encoded.length], [2, 0]];
    const entry = [[4, 0x02014b50], [2, 20], ...about, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]];
    parts.push(packed([[4, 0x04034b50], ...about]), encoded, blob);
    directory.push(packed(entry), encoded);
    offset += 30 + encoded.length + blob.size;
    size += 46 + encoded.length;
  }
  const count = files.length;
  if (count > 65535 || offset + size > 0xffffffff) throw new Error("too much for one zip file");
  const end = packed([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size],
    [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

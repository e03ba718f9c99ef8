// Photos from wherever people have them: dropped, with their folders, pasted or picked.

const PICTURE = /\.(jpe?g|jpe|jfif|png|webp|gif|tiff?|bmp|avif|hei[cf])$/i;

const isPicture = (file) => file.type.startsWith("image/") || PICTURE.test(file.name);

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(found.map(filesOf))).flat();
    found.push(...some);
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

/** Calls `take(pictures, others)` with the files of every way, by name. */
export function listen(take) {
  const give = (files) => {
    const sorted = [...files].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    if (sorted.length) take(sorted.filter(isPicture), sorted.filter((file) => !isPicture(file)));
  };
  for (const id of ["pick", "pick-folder"]) {
    const input = document.getElementById(id);
    input.addEventListener("change", () => {
      give(input.files);
      input.value = "";
    });
  }
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      give(event.clipboardData.files);
    }
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    give(await dropped(event.dataTransfer));
  });
}

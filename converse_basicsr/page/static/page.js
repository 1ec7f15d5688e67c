// The page: a picture comes in, is restored, is compared, is saved.
import { getBlob, getJson, post, Problem, query } from "./api.js";
import { cancel, duration, inWords, run } from "./job.js";
import { loadNetworks, setPicture, settings } from "./settings.js";
import { hideAfter, showAfter, showBefore } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const TITLE = document.title;
let picture = null;
let result = null;
let isBusy = false;
let isReady = false; // the networks are known
let mostUpload = Infinity;

const say = (text) => ($("status").textContent = text);

function showError(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
  if (text) $("error").scrollIntoView({ block: "nearest" });
}

function showNotes(notes) {
  $("notes").replaceChildren(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  $("notes").hidden = false; // an empty line, so that the picture keeps its size
}

function setBusy(text) {
  isBusy = Boolean(text);
  document.body.toggleAttribute("data-busy", isBusy);
  $("job").hidden = !isBusy;
  $("job-text").textContent = text;
  $("cancel").hidden = true;
  $("progress").removeAttribute("value");
  $("restore").disabled = isBusy || !picture || !isReady;
  document.title = TITLE;
}

// Runs one thing at a time, and shows in words why it failed.
async function attempt(text, action) {
  if (isBusy) return showError("Wait until the restoration has ended, or cancel it.");
  showError("");
  setBusy(text);
  try {
    await action();
  } catch (error) {
    showError(error instanceof Problem ? error.message : `The page failed: ${error.message}`);
  } finally {
    setBusy("");
  }
}

const sizeOf = (each) => `${each.width} × ${each.height}`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

async function open(file) {
  if (file.size > mostUpload) {
    throw new Problem(`${file.name} has ${megabytes(file.size)}; the limit is ${megabytes(mostUpload)} (basicsr page --max-upload MB sets another).`);
  }
  const opened = await post(query("pictures", { name: file.name }), file);
  picture = opened;
  result = null;
  $("drop").hidden = true;
  $("bar").hidden = $("other").hidden = false;
  $("download-form").hidden = true;
  $("name").textContent = picture.name;
  $("size").textContent = [sizeOf(picture), picture.channels === 1 ? "gray" : "", picture.bits === 16 ? "16 bits" : "", picture.alpha ? "transparent" : ""].filter(Boolean).join(", ");
  showNotes(picture.notes);
  setPicture(picture);
  showBefore(`pictures/${picture.id}`, picture.width, picture.height);
  say(`${picture.name} is open, ${sizeOf(picture)} pixels.`);
}

let announced = 0;

function showProgress(job) {
  $("job-text").textContent = inWords(job);
  $("cancel").hidden = false;
  if (job.state === "running") {
    $("progress").value = job.share;
    document.title = `${Math.floor(100 * job.share)} % · ${TITLE}`;
  }
  const quarter = Math.floor(4 * job.share);
  if (job.state === "waiting" || quarter > announced) say(inWords(job));
  announced = quarter;
}

async function restore() {
  const chosen = settings();
  announced = 0;
  hideAfter();
  $("download-form").hidden = true;
  showNotes([]);
  say("The restoration begins.");
  const job = await run(picture.id, chosen, showProgress);
  if (job.state === "cancelled") return say("The restoration is cancelled.");
  if (job.state === "failed") throw new Problem(job.error);
  result = job;
  setBusy("Loading the result");
  await showAfter(`jobs/${job.id}/preview`, job.result.width, job.result.height);
  const words = `${sizeOf(picture)} → ${sizeOf(job.result)} in ${duration(job.seconds)}`;
  const reduced = job.result.reduction > 1 ? [`shown reduced by ${job.result.reduction}; the download has every pixel`] : [];
  showNotes([words, ...picture.notes, ...job.notes, ...reduced]);
  showFormats();
  $("stage").scrollIntoView({ block: "nearest" });
  say(`Restored: ${words}.`);
}

function showFormats() {
  const before = $("format").value;
  $("format").replaceChildren(...picture.formats.map((each) => new Option(each.label, each.id)));
  $("format").value = $("download-form").dataset.picture === picture.id && before ? before : picture.format;
  $("download-form").dataset.picture = picture.id;
  $("download-form").hidden = false;
  showQuality();
}

const formatOf = (id) => picture.formats.find((each) => each.id === id);

function showQuality() {
  const hasQuality = formatOf($("format").value).quality;
  $("quality-field").hidden = !hasQuality;
  $("quality").disabled = !hasQuality;
}

async function download() {
  const values = { format: $("format").value };
  if (!$("quality").disabled) values.quality = $("quality").value;
  const blob = await getBlob(query(`jobs/${result.id}/result`, values));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = formatOf(values.format).name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  say(`Saved as ${link.download}.`);
}

const take = (files) => files?.length && attempt("Reading the picture", () => open(files[0]));

$("file").addEventListener("change", () => {
  take($("file").files);
  $("file").value = "";
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (picture) attempt("Starting", restore);
});
$("download-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt("Writing the file", download);
});
$("format").addEventListener("change", showQuality);
$("cancel").addEventListener("click", () => {
  $("job-text").textContent = "Cancelling";
  cancel()?.catch((error) => showError(error.message));
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) event.preventDefault();
  take(event.clipboardData.files);
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("stage").toggleAttribute("data-over", name === "dragenter" || name === "dragover");
    if (name === "drop") take(event.dataTransfer.files);
  });
}
addEventListener("pagehide", () => cancel());

try {
  mostUpload = (await getJson("limits")).max_upload;
  await loadNetworks();
} catch (error) {
  showError(error.message);
}
isReady = true;
$("restore").disabled = isBusy || !picture;

// The form of settings: what applies to the chosen network is shown, and only that is sent.
import { getBlob, getJson, post, Problem, query } from "./api.js";

const OPERATOR = "converse2d";
const $ = (id) => document.getElementById(id);
const number = (id) => ($(id).value === "" ? null : Number($(id).value));
let networks = [];
let picture = null;
let uploadedKernel = null;

export async function loadNetworks() {
  networks = await getJson("networks");
  const select = $("network");
  const known = document.createElement("optgroup");
  known.label = "Networks";
  for (const each of networks) {
    known.append(option(each.id, nameOf(each), !each.usable));
  }
  const without = document.createElement("optgroup");
  without.label = "Without weights";
  without.append(option(OPERATOR, "Deblurring by formula (converse2d)"));
  select.replaceChildren(known, without);
  select.value = (networks.find((each) => each.usable) ?? { id: OPERATOR }).id;
  select.disabled = false;
  showWhatApplies();
}

function nameOf(network) {
  const words = network.usable ? network.task : network.words.split(";")[0];
  return words ? `${words[0].toUpperCase()}${words.slice(1)} (${network.label})` : network.label;
}

function option(value, text, disabled = false) {
  const made = new Option(text, value);
  made.disabled = disabled;
  return made;
}

export function setPicture(described) {
  picture = described;
  showWhatApplies();
}

const chosen = () => networks.find((each) => each.id === $("network").value);
const isOperator = () => $("network").value === OPERATOR;
const wantsKernel = () => isOperator() || Boolean(chosen()?.takes_kernel);

function show(element, isShown) {
  element.hidden = !isShown;
  for (const input of element.querySelectorAll("input, select")) input.disabled = !isShown;
}

function showWhatApplies() {
  const network = chosen();
  $("words").textContent = isOperator() ? "The closed form of the paper's operator; it needs no weights." : (network?.words ?? "");
  show($("kernel"), wantsKernel());
  show($("operator"), isOperator());
  if (wantsKernel()) for (const each of document.querySelectorAll("[data-kernel]")) show(each, each.dataset.kernel === $("kernel-kind").value);
  if (isOperator()) for (const each of document.querySelectorAll("[data-weight]")) show(each, each.dataset.weight === $("weight-kind").value);
  show($("channels-field"), network?.channels === 1 && (picture?.channels ?? 3) === 3);
  show($("x8-field"), !isOperator() && !(wantsKernel() && $("scale").value !== "1"));
  show($("amp-field"), !isOperator());
  showKernel();
}

function kernel() {
  const kind = $("kernel-kind").value;
  if (kind === "motion") return `motion:${$("motion-length").value},${$("motion-angle").value}`;
  if (kind === "file") return uploadedKernel;
  if ($("blur-sigma2").value === "") return `gaussian:${$("blur-sigma").value}`;
  return `gaussian:${$("blur-sigma").value},${$("blur-sigma2").value},${$("blur-angle").value || 0}`;
}

async function showKernel() {
  $("blur-angle").disabled = $("blur-sigma").disabled || $("blur-sigma2").value === ""; // a round blur has none
  const asked = wantsKernel() ? kernel() : null;
  let address = "";
  let problem = "";
  try {
    if (asked && $("form").checkValidity()) address = URL.createObjectURL(await getBlob(query("kernel", { kernel: asked })));
  } catch (error) {
    problem = error.message;
  }
  if (asked !== (wantsKernel() ? kernel() : null)) return; // changed meanwhile
  URL.revokeObjectURL($("kernel-picture").src);
  $("kernel-picture").hidden = !address;
  if (address) $("kernel-picture").src = address;
  showKernelProblem(problem);
}

function showKernelProblem(text) {
  $("kernel-error").textContent = text;
  $("kernel-error").hidden = !text;
}

async function uploadKernel() {
  const file = $("kernel-file").files[0];
  uploadedKernel = null;
  if (!file) return showKernel();
  try {
    uploadedKernel = (await post(query("kernels", { name: file.name }), file)).id;
    await showKernel();
  } catch (error) {
    showKernelProblem(error.message);
  }
}

export function settings() {
  const values = { network: $("network").value, tile: number("tile"), overlap: number("overlap"), memory: $("memory").value || null };
  if (wantsKernel()) {
    values.kernel = kernel();
    values.scale = number("scale");
    if (!values.kernel) throw new Problem("Choose the file of the blur kernel first.");
  }
  if (isOperator()) {
    values[$("weight-kind").value] = number($("weight-kind").value);
    values.borders = $("borders").value;
    values.steps = number("steps");
  }
  for (const name of ["x8", "amp"]) values[name] = !$(name).disabled && $(name).checked;
  if (!$("channels").disabled) values.channels = $("channels").value;
  return values;
}

for (const id of ["network", "kernel-kind", "weight-kind", "scale"]) $(id).addEventListener("change", showWhatApplies);
for (const id of ["blur-sigma", "blur-sigma2", "blur-angle", "motion-length", "motion-angle"]) $(id).addEventListener("input", showKernel);
$("kernel-file").addEventListener("change", uploadKernel);

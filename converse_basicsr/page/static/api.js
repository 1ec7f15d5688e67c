// Requests to the program. Every address is relative to that of the page, which holds the token.

export class Problem extends Error {}

async function send(address, options = {}) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Problem("The program does not answer. Start “basicsr page” again, and open the address that it prints.");
  }
  if (response.ok) return response;
  let message = `The program answered ${response.status}.`;
  try {
    message = (await response.json()).error;
  } catch {
    // not JSON: the status has to do
  }
  throw new Problem(message);
}

export const getJson = async (address) => (await send(address)).json();

export const getBlob = async (address) => (await send(address)).blob();

export const post = async (address, body, options = {}) =>
  (await send(address, { method: "POST", body, ...options })).json();

export const query = (address, values) => `${address}?${new URLSearchParams(values)}`;

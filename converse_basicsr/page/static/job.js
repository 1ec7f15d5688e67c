// One restoration: started, watched, cancelled.
import { getJson, post, query } from "./api.js";

const PAUSE = 250; // milliseconds between two questions
let current = null;

export async function run(picture, settings, onChange) {
  let job = await post(query("jobs", { picture }), JSON.stringify(settings));
  current = job.id;
  try {
    while (job.state === "waiting" || job.state === "running") {
      onChange(job);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      job = await getJson(`jobs/${job.id}`);
    }
  } finally {
    current = null;
  }
  return job;
}

export const cancel = () => current && post(`jobs/${current}/cancel`, "", { keepalive: true });

export function inWords(job) {
  if (job.state === "waiting") {
    return job.place === 1 ? "Waiting: 1 restoration comes before this one" : `Waiting: ${job.place} restorations come before this one`;
  }
  const left = job.remaining === null ? "" : `, about ${duration(job.remaining)} left`;
  return `Restoring: ${Math.floor(100 * job.share)} %${left}`;
}

export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

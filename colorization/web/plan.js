// What to ask of the backend next, from nothing but the state of the album. Two requests run side by side: "near"
// makes what the user is looking at, "far" what will be wanted soon. Nothing is queued, so nothing is lost or outdated.

const SETTLE_MS = { preview: 150, full: 700, version: 500 }; // how long an edit must rest before a request goes out

/** A text that names a job; two jobs of the same name would make the same picture. */
export function jobName({ photo, size, key, version }) {
  return [photo.id, size, key, version].join("|");
}

/** Whether the picture that a running job makes is still wanted. */
export function isWanted(job, album) {
  if (!album.photos.includes(job.photo)) return false;
  if (job.size === "version") return job.photo === album.active && job.key === job.photo.versionsKey;
  return job.key === job.photo.key;
}

/** The jobs of a lane, the most urgent first, each with the milliseconds that it should still wait. */
export function planJobs(lane, album, abilities) {
  const { active } = album;
  if (lane === "near") return active ? nearJobs(active) : [];
  const hurried = album.photos.filter((photo) => photo.hurry);
  const others = album.photos.filter((photo) => photo !== active && photo.open);
  return [
    ...hurried.filter(needsFull).map((photo) => fullJob(photo, 0)),
    ...(active ? farJobs(active, album, abilities) : []),
    ...others.filter(needsFull).map((photo) => fullJob(photo, 0)),
  ];
}

function needsFull(photo) {
  return photo.open && !photo.obstacle && !photo.full;
}

function restFor(photo, milliseconds) {
  return photo.changedAt ? Math.max(0, photo.changedAt + milliseconds - performance.now()) : 0;
}

function fullJob(photo, wait) {
  return { photo, size: "full", key: photo.key, wait };
}

function nearJobs(photo) {
  if (!photo.open || photo.obstacle || photo.result) return [];
  const size = photo.canPreview && !photo.isSmall ? "preview" : "full";
  return [{ photo, size, key: photo.key, wait: restFor(photo, SETTLE_MS.preview) }];
}

function farJobs(photo, album, abilities) {
  if (!photo.result) return []; // first things first
  const jobs = needsFull(photo) ? [fullJob(photo, photo.gesture ? Infinity : restFor(photo, SETTLE_MS.full))] : [];
  if (abilities.maxSamples < 2 || photo.edits.reference || photo.gesture) return jobs;
  const key = photo.versionsKey;
  for (let version = 0; version <= album.visibleVersions; version++) {
    if (photo.thumbnails.get(version)?.key !== key) {
      jobs.push({ photo, size: "version", key, version, wait: restFor(photo, SETTLE_MS.version) });
    }
  }
  return jobs;
}

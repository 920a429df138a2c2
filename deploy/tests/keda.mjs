// KEDA's resources against KEDA's own definitions: keda.mjs RESOURCES.json
import { readFileSync } from "node:fs";
import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";

const resources = JSON.parse(readFileSync(process.argv[2], "utf8"));
if (resources.length === 0) throw new Error("no resources of KEDA were built");
for (const resource of resources) {
  try {
    new keda[resource.kind](resource).validate();
  } catch (error) {
    console.error(`keda: ${resource.kind} ${resource.metadata.name}: ${error.message}`);
    process.exitCode = 1;
  }
}
if (!process.exitCode) console.log(`deploy/check: ${resources.length} resources are as KEDA defines them`);

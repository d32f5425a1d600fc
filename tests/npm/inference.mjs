// Does all of the Open Inference Protocol over gRPC. Arguments: the gateway's gRPC address, the folder of the protos, an image. Prints what came back as JSON.
import fs from 'node:fs';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [address, protos, image] = process.argv.slice(2);
const { inference } = grpc.loadPackageDefinition(loader.loadSync('inference/inference.proto', { includeDirs: [protos], keepCase: true, longs: Number }));
const client = new inference.GRPCInferenceService(address, grpc.credentials.createInsecure());
const call = (name, request = {}) => new Promise((resolve, reject) => client[name](request, (error, answer) => (error ? reject(error) : resolve(answer))));

// As Triton's clients send it: each element of BYTES with its length before it.
const file = fs.readFileSync(image);
const length = Buffer.alloc(4);
length.writeUInt32LE(file.length);
const raw = Buffer.concat([length, file]);
const infer = (model_name, outputs, more = {}) => call('ModelInfer', {
  model_name,
  inputs: [{ name: 'image', datatype: 'BYTES', shape: [1] }],
  outputs: outputs.map(name => ({ name })),
  raw_input_contents: [raw],
  ...more,
});
const classified = await infer('tiny-random-classifier', ['probabilities', 'label']);
const completed = await infer('tiny-random', ['completion'], { parameters: { prompt_tokens: { int64_param: 1000 }, seed: { int64_param: 3 } } });
const refused = await infer('tiny-random', ['nothing']).catch(error => ({ code: error.code, details: error.details }));

console.log(JSON.stringify({
  live: (await call('ServerLive')).live,
  ready: (await call('ServerReady')).ready,
  modelReady: (await call('ModelReady', { name: 'tiny-random' })).ready,
  server: await call('ServerMetadata'),
  model: await call('ModelMetadata', { name: 'tiny-random' }),
  probabilities: [...new Float32Array(new Uint8Array(classified.raw_output_contents[0]).buffer)],
  label: classified.raw_output_contents[1].subarray(4).toString(),
  completion: [...new Int32Array(new Uint8Array(completed.raw_output_contents[0]).buffer)],
  refused,
}));
client.close();

-- Run once by the image of Postgres, as recon_owner: the role that the service works as. It is given
-- its rights by `recon migrate`, table by table.
\set service_password `cat /run/secrets/service_password`
CREATE ROLE recon_service LOGIN PASSWORD :'service_password';
